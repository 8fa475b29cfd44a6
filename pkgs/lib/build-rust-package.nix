# A package of cargo's: static programs for x86_64-unknown-linux-musl, from crates that Cargo.lock pins, without network.
#
#   pname, version   name of the store path: pname-version
#   source           an archive or a folder: the package's own source
#   cargoLock        its Cargo.lock, as a path in the tree of expressions: crates are known before anything is fetched
#   patches          unified diffs, applied with -p1
#   cargoFlags       for `cargo build`, for example [ "--no-default-features" ]
#   check            whether the package's own tests are run, as `cargo test -- checkFlags`; what is installed are then the programs that
#                    this left, which differ where the tests' crates ask for more of a crate that both use
#   tools            packages whose programs the build scripts call: a C compiler where crates bring C
#   variables        environment of the build
#   allowedReferences  store paths that the programs may mention, default [ ]; null asks for nothing
#   tests            attribute set of scripts; each becomes the derivation `tests.NAME`, run with the package in PATH
#   image            what the exporter puts into the image's configuration beside the entrypoint, see `sx export --help`
#   meta             description, homepage, license (SPDX), mainProgram, platforms
#
# Every crate is a source of its own with the lock's checksum. The result is the same bytes wherever it is built: paths
# are mapped to names, one codegen unit for each crate.
{ bootstrap, rust }:
{
  pname,
  version,
  source,
  cargoLock,
  patches ? [ ],
  cargoFlags ? [ ],
  check ? false,
  checkFlags ? [ ],
  tools ? [ ],
  variables ? { },
  allowedReferences ? [ ],
  tests ? { },
  image ? { },
  meta ? { },
}:
let
  inherit (builtins)
    concatStringsSep
    filter
    fromTOML
    map
    readFile
    ;

  fetchCrate = import ./fetch-crate.nix { inherit bootstrap; };
  step = import ../../bootstrap/step.nix { shell = "${bootstrap.busybox}/bin/sh"; };

  registry = "registry+https://github.com/rust-lang/crates.io-index";

  # Packages without a source are the workspace's own.
  locked = filter (package: package ? source) (fromTOML (readFile cargoLock)).package;

  crate =
    package:
    if package.source != registry then
      throw "`${pname}`: the crate `${package.name}` comes from `${package.source}`; only crates of crates.io can be pinned by Cargo.lock alone"
    else
      "${package.name}-${package.version} ${package.checksum} ${
        fetchCrate { inherit (package) name version; sha256 = package.checksum; }
      }";

  package = step {
    name = "${pname}-${version}";
    inherit source;
    script = ./build-rust-package.sh;
    tools = tools ++ [
      rust
      bootstrap.binutils-pass1
      bootstrap.busybox
    ];
    variables = {
      inherit cargoLock patches;
      crates = concatStringsSep "\n" (map crate locked);
      cargoFlags = concatStringsSep " " cargoFlags;
      check = if check then "yes" else "";
      checkFlags = if check then concatStringsSep " " checkFlags else "";
    }
    // (if allowedReferences == null then { } else { inherit allowedReferences; })
    // variables;
  };
in
package
// {
  inherit pname version meta;
  tests = import ./tests.nix {
    system = "x86_64-linux";
    shell = "${bootstrap.bash}/bin/bash";
    tools = [ bootstrap.busybox ];
  } { inherit pname package; scripts = tests; };
  image = {
    entrypoint = [ "${package}/bin/${meta.mainProgram or pname}" ];
  } // image;
}
