# Rust as in pkgs.rust, of which rustc, cargo and the standard library were compiled here from released source. It rests on the binary
# seed by what compiled it, not by what it consists of: nothing of the seed is in its closure. Without rustdoc.
{
  rust,
  rust-std,
  rustc,
  cargo,
}:
rust.override {
  rebuilt = { inherit rustc cargo; };
  rust-std = rust-std.override { compiler = rustc; };
}
// {
  pname = "rust-rebuilt";
}
