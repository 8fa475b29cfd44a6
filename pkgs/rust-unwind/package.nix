# The unwinder of Rust's programs: what a panic needs to find its way back.
{
  bootstrap,
  rust-seed,
  rust-std,
}:
let
  step = import ../../bootstrap/step.nix { shell = "${bootstrap.busybox}/bin/sh"; };
in
step {
  name = "rust-unwind-${rust-std.version}";
  inherit (rust-std) source;
  script = ./build.sh;
  tools = [
    rust-seed
    bootstrap.binutils-pass1
    bootstrap.busybox
  ];
  variables = {
    inherit (rust-std) version;
    std = rust-std;
    libc = ./libc.rs;
    unwind = ./unwind.rs;
  };
}
// {
  pname = "rust-unwind";
  inherit (rust-std) version;

  meta = {
    description = "Unwinder for static programs in Rust";
    homepage = "https://github.com/nbdd0121/unwinding";
    license = "MIT OR Apache-2.0";
    platforms = [ "x86_64-linux" ];
  };
}
