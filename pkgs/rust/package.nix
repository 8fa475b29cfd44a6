# Rust for static programs: the seed's rustc and cargo, a standard library built here from source, musl, and our ld. It
# takes no C compiler to link; crates that compile C need one beside it.
#
# rustc and cargo build for x86_64-unknown-linux-musl unless told otherwise. Build scripts and procedural macros are
# for the seed's own platform, x86_64-unknown-linux-gnu, with the seed's standard library.
{
  bootstrap,
  rust-seed,
  rust-std,
  rust-unwind,
  # { rustc, cargo } in place of the seed's, as in pkgs.rust-rebuilt. This rustc is for musl, so build scripts and procedural macros
  # are too, with the library that it compiled: `rust-std`.
  rebuilt ? null,
}:
let
  step = import ../../bootstrap/step.nix { shell = "${bootstrap.busybox}/bin/sh"; };

  rust = step {
    name = "rust-${rust-std.version}";
    source = rust-std;
    script = ./build.sh;
    tools = [
      bootstrap.binutils-pass1
      bootstrap.busybox
    ];
    variables = {
      inherit (bootstrap) busybox;
      binutils = bootstrap.binutils-pass1;
      musl = import ./musl.nix { inherit bootstrap; };
      unwind = rust-unwind;
      objects = ./objects.s;
    }
    // (
      if rebuilt == null then
        {
          rustc = rust-seed;
          cargo = rust-seed;
          programs = "rustc rustdoc";
          host = "x86_64-unknown-linux-gnu";
        }
      else
        {
          inherit (rebuilt) rustc cargo;
          programs = "rustc";
          host = "x86_64-unknown-linux-musl";
          libc = bootstrap.musl;
        }
    );
  };
in
rust
// {
  pname = "rust";
  inherit (rust-std) version;

  image.entrypoint = [ "${rust}/bin/cargo" ];

  meta = {
    description = "Compiler and package manager of Rust for static programs";
    homepage = "https://www.rust-lang.org/";
    license = "MIT OR Apache-2.0";
    platforms = [ "x86_64-linux" ];
  };
}
