# sx, built by sx: one static program. The source is the tree that this expression lies in.
{
  bootstrap,
  buildRustPackage,
  ca-certificates,
}:
let
  root = ../..;

  # What cargo reads, and the package set that the program carries.
  parts = [
    "Cargo.lock"
    "Cargo.toml"
    "bootstrap"
    "cli"
    "evaluator"
    "flake.nix"
    "pkgs"
    "store"
    "tests"
  ];

  source = builtins.path {
    name = "sx-source";
    path = root;
    filter = path: _: builtins.any (part: path == "${toString root}/${part}" || isBelow part path) parts && !isGolden path;
  };

  isBelow =
    part: path:
    let
      folder = "${toString root}/${part}/";
    in
    builtins.substring 0 (builtins.stringLength folder) path == folder;

  # Store paths that tests compare with: in the program they would be references to all that.
  isGolden = path: builtins.match "golden.*" (baseNameOf path) != null;
in
if !(builtins.pathExists ../../Cargo.toml) then
  throw "sx's own source is not part of the package set that it carries; build it in a copy of its repository"
else
  buildRustPackage {
    pname = "sx";
    version = (fromTOML (builtins.readFile ../../Cargo.toml)).workspace.package.version;
    inherit source;
    cargoLock = ../../Cargo.lock;
    cargoFlags = [ "--package=sx" ];

    # SQLite, and the compressors of images, are in C; TLS and BLAKE3 in assembly.
    tools = [ bootstrap.gcc ];
    variables.CC_x86_64_unknown_linux_musl = "gcc";

    # For sources and registries: an image has no others.
    image.env.SSL_CERT_FILE = "${ca-certificates}/etc/ssl/certs/ca-certificates.crt";

    meta = {
      description = "Packages from a seed of 221 bytes, as minimal images";
      license = "Apache-2.0";
      platforms = [ "x86_64-linux" ];
    };
  }
