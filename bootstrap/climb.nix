# The climb from TinyCC to GCC: every step as a derivation that only the steps before build. README.md tells what they
# are. First come programs of our own that stand in for a shell, then a shell, then scripts.
{ fetch, libc, tinycc, tcc }:

let
  tools = import ./tools.nix {
    inherit tcc libc;
    inherit (tinycc) runtime;
  };

  sources = import ./sources.nix {
    inherit fetch;
    inherit (tools) run;
  };

  tinycc-patched = import ./tinycc-patched {
    inherit tinycc tcc libc;
    inherit (tools) run patch;
  };

  tinycc-musl = import ./tinycc-musl {
    inherit sources;
    inherit (tools) program run patch;
    tinycc-source = tinycc-patched.source;
    tcc = tinycc-patched.pass2;
  };

  # The compiler of the steps that follow.
  tinycc-c = tinycc-musl.pass3;

  busybox = import ./busybox {
    inherit sources;
    inherit (tools) run;
    tcc = "${tinycc-c}/bin/tcc";
  };

  step = import ./step.nix { shell = "${busybox}/bin/sh"; };
  # CFLAGS keep configure scripts from their own choice, which has debugging information in it.
  tcc-variables = {
    CC = "tcc";
    CFLAGS = "-O1";
    LD = "tcc";
    AR = "tcc -ar";
    RANLIB = "true";
  };

  # Programs that TinyCC compiles, each by a script of its own beside its name.
  compiled =
    name: version: tools:
    step {
      name = "${name}-${version}";
      source = sources.${name}.source;
      script = ./. + "/${name}/build.sh";
      tools = tools ++ [
        tinycc-c
        busybox
      ];
      variables = tcc-variables;
    };

  make = compiled "make" "4.4.1" [ ];
  mawk = compiled "mawk" "1.3.4-20250131" [ make ];
  bash = compiled "bash" "5.2.37" [ make ];
  m4 = compiled "m4" "1.4.19" [ make ];
  grep = compiled "grep" "3.11" [ make ];
  sed = compiled "sed" "4.9" [ make ];

  # The tools of GNU's makefiles, found before busybox's of the same names.
  userland = [
    make
    mawk
    grep
    sed
    m4
    busybox
  ];

  bash-step = import ./step.nix { shell = "${bash}/bin/bash"; };

  binutils = bash-step {
    name = "binutils-2.40";
    source = sources.binutils.source;
    script = ./binutils/build.sh;
    tools = [
      tinycc-c
      bash
    ]
    ++ userland;
    variables = tcc-variables;
  };

  gcc = import ./gcc.nix {
    inherit sources tinycc-c;
    binutils-pass1 = binutils;
    inherit (tools) patch;
    step = bash-step;
    userland = [ bash ] ++ userland;
  };
in
{
  inherit sources;
  inherit (tools) run patch;
  tcc-patched-source = tinycc-patched.source;
  tcc-patched-pass1 = tinycc-patched.pass1;
  tcc-patched-pass2 = tinycc-patched.pass2;
  tcc-patched-pass3 = tinycc-patched.pass3;
  tinycc-musl-pass1 = tinycc-musl.pass1;
  tinycc-musl-pass2 = tinycc-musl.pass2;
  tinycc-musl-pass3 = tinycc-musl.pass3;
  tinycc-musl-pass4 = tinycc-musl.pass4;
  inherit
    busybox
    make
    mawk
    bash
    m4
    grep
    sed
    ;
}
// gcc
