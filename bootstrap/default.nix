# From the seed to a C compiler at its fixed point. Each step is a derivation whose builder is the
# output of the step before; README.md tells what the steps are, and `golden` what they come to.
#
# A step's program is run as `builder args…` with neither shell nor environment, and writes its
# output, with mode 0755, itself.

let
  system = "x86_64-linux";
  out = placeholder "out";

  fetch = import ./fetch.nix;

  # The one file that is trusted without being built: the digits of seed.hex0 as bytes.
  seed = derivation {
    name = "seed";
    inherit system;
    builder = "builtin:hex0";
    src = ./seed.hex0;
  };

  # The seed decodes itself: the same bytes, made by the program that they are.
  hex0 = derivation {
    name = "hex0";
    inherit system;
    builder = seed;
    args = [ ./seed.hex0 out ];
  };

  # An assembler with labels and words.
  hexm = derivation {
    name = "hexm";
    inherit system;
    builder = hex0;
    args = [ ./hexm.hex0 out ];
  };

  # A compiler for C0, a small part of C.
  c0 = derivation {
    name = "c0";
    inherit system;
    builder = hexm;
    args = [ ./c0.m out ];
  };

  # A C compiler, written in C0.
  cc = derivation {
    name = "cc";
    inherit system;
    builder = c0;
    args = [ ./cc.c out ];
  };

  # The C library of every program below, as sources: they are compiled with the program.
  libc = {
    start = ./libc/start.S;
    source = ./libc/libc.c;
    include = ./libc/include;
  };

  tinycc = import ./tinycc.nix { inherit fetch cc libc; };
  tcc = tinycc.tcc2;

  climb = import ./climb.nix { inherit fetch libc tinycc tcc; };
in
{
  inherit fetch seed hex0 hexm c0 cc libc;
  inherit (tinycc) tcc0 tcc1 tcc2;

  # What packages are built with: TinyCC as it compiled itself twice, with the same result.
  inherit tcc;

  # Sources that belong to every program tcc links without another libc: arguments of unknown
  # number, and what x86-64 has no instruction for.
  inherit (tinycc) runtime;

  # For those who look inside: TinyCC's source, as fetched and unpacked.
  tinycc = { inherit (tinycc) archive source; };
}
// climb
