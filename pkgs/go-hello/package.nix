# A program in Go that needs nothing beside it. `cgo` is the same with a part in C, compiled by GCC.
{ buildGoPackage }:

let
  cgo = buildGoPackage {
    pname = "go-hello-cgo";
    version = "1.0";
    src = ./cgo;
    cgo = true;
  };
in
buildGoPackage {
  pname = "go-hello";
  version = "1.0";
  src = ./hello;

  tests = {
    prints = ''
      test "$(hello)" = "Hello from Go!"
    '';
    cgo = ''
      test "$(${cgo}/bin/hello)" = "Hello from Go and C: 42"
    '';
  };

  passthru = { inherit cgo; };

  meta = {
    description = "Program that prints a greeting, in Go";
    license = "Apache-2.0";
    mainProgram = "hello";
  };
}
