# The smallest package: copy this folder, change the names, and `sx realise pkgs.<folder>` builds yours.
{ buildProgram }:

buildProgram {
  pname = "hello";
  version = "1.0";

  sources = [ ./hello.c ];

  image.labels."org.opencontainers.image.description" = "A greeting";

  meta = {
    description = "Program that prints a greeting";
    license = "Apache-2.0";
    platforms = [ "x86_64-linux" ];
  };
}
