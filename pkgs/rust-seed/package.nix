# A released rustc, cargo and standard library for x86_64-unknown-linux-gnu: a declared binary seed, as no way from source
# alone to a Rust compiler lies in the archives that sources come from. packages.nix names every file of it.
#
# The programs are Debian's, unchanged. They run where there is no /lib64/ld-linux-x86-64.so.2 because scripts in bin/
# start them through the packaged loader. Programs for the seed's own platform (build scripts, procedural macros) are
# linked by our ld against the packaged C library, see linker.sh.
{ bootstrap }:
let
  step = import ../../bootstrap/step.nix { shell = "${bootstrap.busybox}/bin/sh"; };
  packages = import ./packages.nix { inherit (bootstrap) fetch; };

  seed = step {
    name = "rust-seed-1.96.0";
    source = packages;
    script = ./build.sh;
    inherit tools;
    variables = {
      standIns = ./stand-ins.sh;
      linker = ./linker.sh;
      start = ./start.s;
      binutils = bootstrap.binutils-pass1;
      busybox = bootstrap.busybox;
    };
  };

  tools = [
    bootstrap.binutils-pass1
    bootstrap.mawk
    bootstrap.busybox
  ];
in
seed
// {
  pname = "rust-seed";
  version = "1.96.0";
  inherit packages;

  meta = {
    description = "Compiler, package manager and standard library of Rust as released in Debian 13, a binary seed";
    homepage = "https://www.rust-lang.org/";
    license = "MIT OR Apache-2.0";
    platforms = [ "x86_64-linux" ];
  };
}
