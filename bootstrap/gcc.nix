# The climb from binutils to GCC 14. A compiler's second pass is made by its first; README.md tells what the steps are.
{
  sources,
  tinycc-c,
  binutils,
  patch,
  step,
  userland,
}:

let
  # GCC 3.4.6. The first pass compiles C only: that is what its C++ compiler, too, is written in.
  gcc-3 =
    {
      name,
      compiler,
      languages,
      musl,
      variables,
    }:
    step {
      inherit name;
      source = sources.gcc-3.source;
      script = ./gcc-3.4.6/build.sh;
      tools = [ compiler binutils ] ++ userland;
      variables = {
        inherit languages musl binutils;
        tooldir = ./tooldir.sh;
      } // variables;
    };

  gcc-3-pass1 = gcc-3 {
    name = "gcc-3.4.6-pass1";
    compiler = tinycc-c;
    languages = "c";
    musl = tinycc-c;
    variables = {
      CC = "tcc";
      CFLAGS = "-O1";
    };
  };

  musl =
    {
      compiler,
      binutils,
      patches ? [ ],
      shared ? "--disable-shared",
    }:
    step {
      name = "musl-1.2.5";
      source = sources.musl.source;
      script = ./musl/build.sh;
      tools = [ compiler binutils ] ++ userland;
      variables = {
        inherit patch patches shared;
        CC = "gcc";
      };
    };

  musl-pass1 = musl {
    compiler = gcc-3-pass1;
    inherit binutils;
    patches = [ ./musl/1-local-table-of-locks.patch ];
  };

  gcc-3-pass2 = gcc-3 {
    name = "gcc-3.4.6-pass2";
    compiler = gcc-3-pass1;
    languages = "c,c++";
    musl = musl-pass1;
    variables = {
      CC = "gcc -B${musl-pass1}/lib/";
      CFLAGS = "-O2";
    };
  };
in
{
  inherit gcc-3-pass1 musl-pass1 gcc-3-pass2;
}
