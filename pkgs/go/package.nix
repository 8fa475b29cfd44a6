# Go, from source alone: GCC's Go (which is 1.18, without generics) builds 1.19, that 1.23 and that the one here.
#
# Debian's archive has no 1.20 to 1.22, so 1.23, which asks for 1.20.6, learns to be built by 1.19: 1.23/ has the patches. It is a hop less, too.
#
# Parts in C are left out unless CGO_ENABLED=1 is said, even where a gcc is in PATH: buildGoPackage says it for `cgo = true`.
{ bootstrap, fetchSource }:
let
  step = import ../../bootstrap/step.nix { shell = "${bootstrap.bash}/bin/bash"; };

  source =
    version: debian: hash:
    (fetchSource {
      name = "go-${version}";
      urls = [ "https://go.dev/dl/go${version}.src.tar.gz" ];
      inherit hash;
      debian = {
        package = "golang-${debian}";
        inherit version;
        file = "golang-${debian}_${version}.orig.tar.gz";
      };
    }).source;

  hop =
    {
      version,
      source,
      # The folder that has bin/go.
      go,
      tools ? [ ],
      patches ? [ ],
      # Files that aren't built.
      unwanted ? [ ],
    }:
    step {
      name = "go-${version}";
      inherit source;
      script = ./build.sh;
      tools = tools ++ [
        bootstrap.bash
        bootstrap.grep
        bootstrap.sed
        bootstrap.busybox
      ];
      variables = {
        inherit patches unwanted;
        inherit (bootstrap) patch;
        GOROOT_BOOTSTRAP = go;
      };
    };

  go-1-19 = hop {
    version = "1.19.8";
    source = source "1.19.8" "1.19" "sha256-HXpnkp3Mr+r4op5VmFvCt4ngSZyxoXEAA58ITjI42i8=";
    go = bootstrap.gccgo;
    tools = [ bootstrap.gccgo ];
  };

  go-1-23 = hop {
    version = "1.23.1";
    source = source "1.23.1" "1.23" "sha256-buROKYN50Ual5aprHFtdX10KM2XqvdcHQebiE0DsOw0=";
    go = "${go-1-19}/go";
    patches = [
      ./1.23/1-strings-without-unsafe-String.patch
      ./1.23/2-copy-without-Clone.patch
    ];
    # It does nothing but to fail with a compiler older than 1.20.
    unwanted = [ "src/cmd/dist/notgo120.go" ];
  };

  version = "1.24.9";
  src = source version "1.24" "sha256-xy+BulT+AO/n8+dJnUAJeSRogbE7d16am7hVQcEb5pU=";

  go = hop {
    inherit version;
    source = src;
    go = "${go-1-23}/go";
    patches = [ ./1.24/1-no-race-detector.patch ];
  };

  test =
    name: script:
    step {
      name = "go-test-${name}";
      source = src;
      inherit script;
      tools = [
        go
        bootstrap.bash
        bootstrap.grep
        bootstrap.sed
        bootstrap.busybox
      ];
      variables.package = go;
    };
in
go
// {
  pname = "go";
  inherit version src go-1-19 go-1-23;

  tests = builtins.mapAttrs test {
    fromSourceAlone = ./tests/from-source-alone.sh;
    std = ./tests/std.sh;
  };

  image.entrypoint = [ "${go}/bin/go" ];

  meta = {
    description = "Go: compiler, linker, tools and library";
    homepage = "https://go.dev/";
    license = "BSD-3-Clause";
    cpe = "cpe:2.3:a:golang:go:${version}";
    platforms = [ "x86_64-linux" ];
  };
}
