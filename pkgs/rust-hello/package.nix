# The smallest program in Rust, by rustc alone: one static file, which needs nothing beside it. A program with a
# Cargo.toml is built by buildRustPackage.
{ rust }:
let
  program = derivation {
    name = "rust-hello-1.0";
    system = "x86_64-linux";
    builder = "${rust}/bin/rustc";
    args = [
      "--crate-name=hello"
      "-Copt-level=s"
      "-Clto=fat"
      "-Ccodegen-units=1"
      "-Cstrip=symbols"
      "-o"
      (placeholder "out")
      ./hello.rs
    ];
  };
in
program
// {
  pname = "rust-hello";
  version = "1.0";

  image = {
    entrypoint = [ "${program}" ];
    labels."org.opencontainers.image.description" = "A greeting from Rust";
  };

  meta = {
    description = "Program that prints a greeting, in Rust";
    license = "Apache-2.0";
    platforms = [ "x86_64-linux" ];
  };
}
