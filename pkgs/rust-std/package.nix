# Rust's standard library for x86_64-unknown-linux-musl, from its released source, compiled by the seed.
{
  bootstrap,
  rust-seed,
  # What compiles it in place of the seed; build scripts stay the seed's.
  compiler ? null,
}:
let
  step = import ../../bootstrap/step.nix { shell = "${bootstrap.busybox}/bin/sh"; };

  # The library, the crates it depends on and the compiler, as text. Debian packs source so that it can be shipped:
  # no step reads anything of it but Rust's own source files.
  source = bootstrap.fetch {
    name = "rust-web-src_1.96.0+dfsg1-1-deb13u1_all.deb";
    hash = "sha256-VVME5XoltwtH3HuXI/rXQrjv0lj5T5hvQy6izTBKZdM=";
    debian = {
      package = "rustc-web";
      version = "1.96.0";
      file = "rust-web-src_1.96.0+dfsg1-1~deb13u1_all.deb";
    };
  };
in
step {
  name = "rust-std-1.96.0";
  inherit source;
  script = ./build.sh;
  tools = [
    rust-seed
    bootstrap.binutils-pass1
    bootstrap.busybox
  ];
  variables = {
    version = "1.96.0";
  }
  // (
    if compiler == null then
      { }
    else
      {
        inherit compiler;
        inherit (bootstrap) busybox;
      }
  );
}
// {
  pname = "rust-std";
  version = "1.96.0";
  inherit source;

  meta = {
    description = "Standard library of Rust for static programs with musl";
    homepage = "https://www.rust-lang.org/";
    license = "MIT OR Apache-2.0";
    platforms = [ "x86_64-linux" ];
  };
}
