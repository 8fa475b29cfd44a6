# A Go program: static, from sources that are pinned, without network. It is a package of `stdenv` with these besides:
#
#   modules      what it needs: [ { path; version; source; } ], sources being folders; see go-modules.nix
#   vendorHash   hash of the folder `vendor` that is made of them, "blake3-…": one value pins them all. Wherever a module
#                comes from, from upstream or from an archive, what is built doesn't change
#   packages     what is built, default [ "." ]; each becomes a program in bin
#   tags         for `go build`
#   ldflags      for Go's linker
#   cgo          whether parts in C are compiled and linked, by stdenv's compiler; false unless given
#   goTests      words for `go test`, packages whose own tests are run among them, for example [ "./..." ]
#
# go.mod asks for the versions that modules have: what it asked for otherwise, and what nothing here needs, is left out.
{
  stdenv,
  bootstrap,
  go,
}:
attributes@{
  pname,
  modules ? [ ],
  vendorHash ? null,
  packages ? [ "." ],
  tags ? [ ],
  ldflags ? [ ],
  cgo ? false,
  goTests ? [ ],
  nativeBuildInputs ? [ ],
  passthru ? { },
  ...
}:
let
  inherit (builtins) concatStringsSep map removeAttrs;

  step = import ../../bootstrap/step.nix { shell = "${bootstrap.bash}/bin/bash"; };

  vendor =
    if modules == [ ] then
      ""
    else if vendorHash == null then
      throw "`${pname}` needs modules: expected `vendorHash`, the hash of the folder that is made of them; given any `blake3-…`, the first build says the right one"
    else
      step {
        name = "${pname}-vendor";
        source = map (module: module.source) modules;
        script = ./vendor-go-modules.sh;
        tools = [
          bootstrap.sed
          bootstrap.busybox
        ];
        variables = {
          modules = concatStringsSep "\n" (map (module: "${module.path} ${module.version} ${module.source}") modules);
          outputHash = vendorHash;
          outputHashMode = "recursive";
        };
      };
in
stdenv.mkDerivation (
  {
    configurePhase = ''. ${./configure-go-package.sh}'';
    buildPhase = ''
      for package in $packages; do
          go build -tags "$tags" -ldflags "-s -w -buildid= $ldflags" -o /build/bin/ "$package"
      done
    '';
    checkPhase = ''
      if test -n "$goTests"; then go test -vet=off -tags "$tags" $goTests; fi
    '';
    installPhase = ''
      mkdir "$out"
      cp -r /build/bin "$out/bin"
    '';
    # Go's linker did it.
    dontStrip = true;
  }
  // removeAttrs attributes [ "modules" "vendorHash" "cgo" ]
  // {
    inherit vendor;
    nativeBuildInputs = [ go ] ++ nativeBuildInputs;
    packages = concatStringsSep " " packages;
    tags = concatStringsSep "," tags;
    ldflags = concatStringsSep " " (ldflags ++ (if cgo then [ "-linkmode=external" "-extldflags=-static" ] else [ ]));
    CGO_ENABLED = if cgo then "1" else "0";
    goTests = concatStringsSep " " goTests;
    passthru = {
      inherit vendor;
    }
    // passthru;
  }
)
