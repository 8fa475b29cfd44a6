# The climb from binutils to GCC 14. README.md tells what the steps are.
#
# A compiler finds binutils and musl in its own folder. Where it has to link a program with a newer musl than those, -B says so.
{
  sources,
  tinycc-c,
  binutils-pass1,
  patch,
  step,
  userland,
}:

let
  # GCC 3.4.6. The first pass compiles C only: that is what its C++ compiler, too, is written in.
  build-gcc-3 =
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
      tools = [ compiler binutils-pass1 ] ++ userland;
      variables = {
        inherit languages musl patch;
        binutils = binutils-pass1;
        patches = [ ./gcc-3.4.6/1-constant-seed.patch ];
        tooldir = ./tooldir.sh;
      } // variables;
    };

  gcc-3-pass1 = build-gcc-3 {
    name = "gcc-3.4.6-pass1";
    compiler = tinycc-c;
    languages = "c";
    musl = tinycc-c;
    variables = {
      CC = "tcc";
      CFLAGS = "-O1";
    };
  };

  build-musl =
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

  musl-pass1 = build-musl {
    compiler = gcc-3-pass1;
    binutils = binutils-pass1;
    patches = [ ./musl/1-local-table-of-locks.patch ];
  };

  gcc-3-pass2 = build-gcc-3 {
    name = "gcc-3.4.6-pass2";
    compiler = gcc-3-pass1;
    languages = "c,c++";
    musl = musl-pass1;
    variables = {
      CC = "gcc -B${musl-pass1}/lib/";
      CFLAGS = "-O2";
    };
  };

  build-gcc =
    {
      name,
      source,
      compiler,
      binutils,
      musl,
      languages ? "c,c++",
      variables,
    }:
    step {
      inherit name;
      source = source.source;
      script = ./gcc/build.sh;
      tools = [ compiler binutils ] ++ userland;
      variables = {
        inherit languages musl binutils;
        gmp = sources.gmp.source;
        mpfr = sources.mpfr.source;
        mpc = sources.mpc.source;
        tooldir = ./tooldir.sh;
      } // variables;
    };

  gcc-10 = build-gcc {
    name = "gcc-10.2.0";
    source = sources.gcc-10;
    compiler = gcc-3-pass2;
    binutils = binutils-pass1;
    musl = musl-pass1;
    variables = {
      CC = "gcc -std=gnu99";
      CXX = "g++ -w";
      # GCC 3.4 knows no macros for the order of bytes.
      CFLAGS = "-O1 -D__LITTLE_ENDIAN__=1";
      target_flags = "-O1";
    };
  };

  musl-pass2 = build-musl {
    compiler = gcc-10;
    binutils = binutils-pass1;
  };

  # Libraries are compiled the same in every pass, and so that they can be part of shared ones too.
  target_flags = "-O2 -fPIC";

  gcc-14-pass1 = build-gcc {
    name = "gcc-14.2.0-pass1";
    source = sources.gcc-14;
    compiler = gcc-10;
    binutils = binutils-pass1;
    musl = musl-pass2;
    variables = {
      inherit target_flags;
      CC = "gcc -B${musl-pass2}/lib/";
      CXX = "g++ -B${musl-pass2}/lib/";
      CFLAGS = "-O1";
    };
  };

  # What packages are built with, as GCC 14 makes it. Given a GCC 14 that was made by another compiler it must come to the same
  # store paths.
  toolchain = compiler: rec {
    musl = build-musl {
      inherit compiler;
      binutils = binutils-pass1;
      # The loader and its library are there for those who ask for them; programs are static unless they do.
      shared = "--enable-shared";
    };

    binutils = step {
      name = "binutils-2.40";
      source = sources.binutils.source;
      script = ./binutils/build.sh;
      tools = [ compiler binutils-pass1 ] ++ userland;
      variables = {
        CC = "gcc -B${musl}/lib/";
        CXX = "g++ -B${musl}/lib/";
        CFLAGS = "-O2";
        CXXFLAGS = "-O2";
      };
    };

    gcc = build-gcc {
      name = "gcc-14.2.0";
      source = sources.gcc-14;
      inherit compiler binutils musl;
      variables = {
        inherit target_flags;
        CC = "gcc -B${musl}/lib/";
        CXX = "g++ -B${musl}/lib/";
        CFLAGS = "-O2";
      };
    };
  };

  pass2 = toolchain gcc-14-pass1;
  pass3 = toolchain pass2.gcc;

  # Go, as GCC has it: what Go's own compiler is built with.
  gccgo = step {
    name = "gccgo-14.2.0";
    source = sources.gcc-14.source;
    script = ./gccgo/build.sh;
    tools = [ pass2.gcc pass2.binutils ] ++ userland;
    variables = {
      inherit (pass2) musl binutils;
      gmp = sources.gmp.source;
      mpfr = sources.mpfr.source;
      mpc = sources.mpc.source;
      tooldir = ./tooldir.sh;
      linux = ./gccgo/linux.h;
      CC = "gcc";
      CXX = "g++";
      CFLAGS = "-O1";
    };
  };
in
{
  inherit binutils-pass1 gcc-3-pass1 musl-pass1 gcc-3-pass2 gcc-10 musl-pass2 gcc-14-pass1;
  musl-pass3 = pass2.musl;
  binutils-pass2 = pass2.binutils;
  gcc-14-pass2 = pass2.gcc;
  musl-pass4 = pass3.musl;
  binutils-pass3 = pass3.binutils;
  gcc-14-pass3 = pass3.gcc;

  # What packages are built with.
  inherit (pass2) musl binutils gcc;
  inherit gccgo;
}
