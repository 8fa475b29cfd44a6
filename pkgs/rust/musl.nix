# musl with position-independent code in its archive, so that static programs can be loaded anywhere: rustc links them so.
{ bootstrap }:
let
  step = import ../../bootstrap/step.nix { shell = "${bootstrap.bash}/bin/bash"; };
in
step {
  name = "musl-pie-1.2.5";
  source = bootstrap.sources.musl.source;
  script = ../../bootstrap/musl/build.sh;
  tools = [
    bootstrap.gcc-3-pass1
    bootstrap.binutils-pass1
    bootstrap.bash
    bootstrap.make
    bootstrap.mawk
    bootstrap.grep
    bootstrap.sed
    bootstrap.busybox
  ];
  variables = {
    inherit (bootstrap) patch;
    patches = [ ../../bootstrap/musl/1-local-table-of-locks.patch ];
    shared = "--disable-shared";
    CC = "gcc";
    CFLAGS = "-fPIC";
  };
}
