# Packages that show one sentence each of what pkgs/stdenv promises, compiled by a compiler that a run of the tests has anyway.
{
  compiler ? "gcc-3-pass1",
  CC ? "gcc -std=gnu99",
}:
let
  bootstrap = import ../../bootstrap;

  compilers = final: previous: {
    stdenv = previous.stdenv.override {
      cc = {
        package = bootstrap.${compiler};
        variables = {
          inherit CC;
          CFLAGS = "-O2";
        };
        libc = bootstrap.musl;
      };
      binutils = bootstrap.binutils-pass1;
    };
  };

  pkgs = import ../../pkgs {
    inherit bootstrap;
    overlays = [ compilers ];
  };

  inherit (pkgs) stdenv;

  make =
    pname: attributes:
    stdenv.mkDerivation (
      {
        inherit pname;
        version = "1";
        src = ./greet;
      }
      // attributes
    );

  greet = make "greet" {
    outputs = [
      "out"
      "dev"
    ];
    tests.greets = ''test "$(greet)" = greetings'';
  };

  # Brings a tool of its own along.
  tool = make "tool" {
    phases = "installPhase";
    installPhase = ''
      mkdir -p "$out/bin"
      printf '#!/bin/sh\necho from tool\n' >"$out/bin/tool"
      chmod +x "$out/bin/tool"
    '';
  };

  needsGreet = attributes: make "needs-greet" ({
    buildPhase = ''
      printf '#include <greet.h>\n#include <stdio.h>\nint main(void) { return puts(greeting()) < 0; }\n' >needs.c
      $CC -o needs needs.c -lgreet
    '';
    installPhase = ''mkdir -p "$out/bin" && cp needs "$out/bin"'';
  } // attributes);

  # Every hook and every phase says that it ran.
  phases = [ "unpack" "patch" "configure" "build" "check" "install" "fixup" ];
  capital = name: {
    unpack = "Unpack";
    patch = "Patch";
    configure = "Configure";
    build = "Build";
    check = "Check";
    install = "Install";
    fixup = "Fixup";
  }.${name};
  hooks = builtins.listToAttrs (
    builtins.concatMap (name: [
      { name = "pre${capital name}"; value = "ran=\"\${ran:-} <${name}\""; }
      { name = "${name}Phase"; value = "ran=\"$ran ${name}\""; }
      { name = "post${capital name}"; value = "ran=\"$ran ${name}>\""; }
    ]) phases
  );

  variables = package: builtins.intersectAttrs {
    build = null;
    host = null;
    CC = null;
    CC_FOR_BUILD = null;
  } package;

  # Another platform by name, whose programs run here: enough to see that nothing is mixed up.
  cross = import ../../pkgs {
    inherit bootstrap;
    overlays = [
      compilers
      (final: previous: {
        buildPackages = pkgs;
        stdenv = previous.stdenv.override (given: {
          hostPlatform = {
            system = "x86_64-linux";
            config = "x86_64-other-linux-musl";
          };
          # Looks for no header or library of the build platform.
          buildCc = {
            package = bootstrap.tinycc-musl-pass3;
            variables.CC = "tcc";
          };
        });
      })
    ];
  };
in
{
  inherit pkgs greet tool;

  hooked = make "hooked" (hooks // { postFixup = ''echo "$ran fixup>" >"$out"''; });
  skipped = make "skipped" (hooks // { dontPatch = 1; dontCheck = 1; dontFixup = 1; postInstall = ''echo "$ran install>" >"$out"''; });
  chosen = make "chosen" (hooks // { phases = "buildPhase installPhase"; postInstall = ''echo "$ran" >"$out"''; });

  words = make "words" {
    configureFlags = [
      "--one=two words"
      "it's"
      "$(false)"
      "*"
      "--plain"
    ];
    dontBuild = 1;
    installPhase = ''cp arguments "$out"'';
  };

  patched = make "patched" {
    patches = [ ./1-salutations.patch ];
    tests.greets = ''test "$(greet)" = salutations'';
  };

  native = make "native" {
    nativeBuildInputs = [ tool ];
    buildPhase = ''tool >made'';
    installPhase = ''cp made "$out"'';
  };

  linked = (needsGreet { buildInputs = [ greet ]; }).overrideAttrs { tests.greets = ''test "$(needs)" = greetings''; };
  # Not to be found: it is no input.
  unlinked = needsGreet { };
  propagating = needsGreet {
    buildInputs = [ (make "propagates" { propagatedBuildInputs = [ greet ]; installPhase = ''mkdir "$out"''; }) ];
  };

  leaking = make "leaking" {
    postInstall = ''mkdir "$out/etc" && echo "built by $(type -P gcc)" >"$out/etc/notes"'';
  };
  # Allowed, because it is said.
  leakingOnPurpose = make "leaking-on-purpose" {
    allowedReferences = [ tool ];
    postInstall = ''mkdir "$out/etc" && echo ${tool} >"$out/etc/notes"'';
  };
  lacking = stdenv.mkDerivation { pname = "lacking"; };
  scripted = make "scripted" {
    runtimeShell = bootstrap.bash;
    installPhase = ''
      mkdir -p "$out/bin"
      printf '#!/usr/bin/env bash\necho a script\n' >"$out/bin/a"
      chmod +x "$out/bin/a"
    '';
  };

  empty = make "empty" { installPhase = "true"; };

  # The C library starts programs by /bin/sh.
  systematic = make "systematic" {
    buildPhase = ''
      printf '#include <stdlib.h>\nint main(void) { return system("echo by the shell >made"); }\n' >system.c
      $CC -o system system.c && ./system
    '';
    installPhase = ''cp made "$out"'';
  };

  shared = make "shared" {
    shared = true;
    buildPhase = ''
      $CC $CFLAGS -fPIC -shared -o libgreet.so greet.c
      $CC $CFLAGS $LDFLAGS -o greet main.c -L. -lgreet
    '';
    installPhase = ''
      mkdir -p "$out/bin" "$out/lib"
      cp greet "$out/bin"
      cp libgreet.so "$out/lib"
    '';
    tests.greets = ''test "$(greet)" = greetings'';
  };

  # What evaluation alone shows.
  changed =
    let
      function = { stdenv, word ? "given" }: stdenv.mkDerivation (self: {
        pname = "changed";
        version = "1";
        src = ./greet;
        inherit word;
        passthru.message = "${self.word} ${self.version}";
      });
      package = pkgs.callPackage function { };
      message = package: package.message;
    in
    map message [
      package
      (pkgs.callPackage function { word = "called"; })
      (package.override { word = "set"; })
      (package.override (given: { word = "${given.word or "none"}, function"; }))
      (package.overrideAttrs { word = "attributes"; })
      (package.overrideAttrs (previous: { word = "${previous.word}, attributes"; }))
      (package.overrideAttrs (self: previous: { version = "2"; word = "${previous.word} ${self.version}"; }))
      ((package.overrideAttrs { version = "3"; }).override { word = "set after"; })
      ((package.override { word = "set before"; }).overrideAttrs { version = "4"; })
    ];

  platforms = {
    own = variables greet;
    other = variables (cross.callPackage ({ stdenv }: stdenv.mkDerivation { pname = "a"; version = "1"; src = ./greet; }) { });
  };
  crossed = cross.callPackage (
    { stdenv, buildPackages }:
    stdenv.mkDerivation {
      pname = "crossed";
      version = "1";
      src = ./greet;
      nativeBuildInputs = [ (buildPackages.callPackage ({ }: tool) { }) ];
      buildPhase = ''
        printf '#include <stdio.h>\n#ifdef __TINYC__\n#define A "tcc"\n#else\n#define A "gcc"\n#endif\nint main(void) { return puts(A) < 0; }\n' >compiler.c
        $CC_FOR_BUILD -o for-build compiler.c
        $CC -o for-host compiler.c
        { ./for-build; ./for-host; tool; cat arguments; } >made
      '';
      installPhase = ''cp made "$out"'';
    }
  ) { };
}
