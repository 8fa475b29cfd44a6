# cargo from its released source, compiled by the seed: one static program with libgit2, curl, OpenSSL, zlib and SQLite inside, whose
# source lies in the crates that Cargo.lock pins.
{
  bootstrap,
  buildRustPackage,
  fetchCrate,
  perl,
}:

buildRustPackage {
  pname = "cargo";
  version = "1.96.0";

  source = fetchCrate {
    name = "cargo";
    # 1.96, by the numbers of the library that cargo is too.
    version = "0.97.0";
    sha256 = "ad661aa9c0b3b29713f84e871f82d46998e5c397d7613824a6ac1ba12cb89557";
  };
  # The one in the source.
  cargoLock = ./Cargo.lock;
  cargoFlags = [ "--features=all-static" ];

  # Tests look at the closure of pkgs.rust-rebuilt.
  allowedReferences = null;

  # OpenSSL's Configure is in Perl, and its rules call a shell.
  tools = [
    bootstrap.gcc
    bootstrap.make
    perl
  ];
  variables = {
    CC_x86_64_unknown_linux_musl = "gcc";
    binSh = "${bootstrap.busybox}/bin/sh";
    # C code asks for libraries that are empty in musl, and for a function of GCC's own.
    RUSTFLAGS = builtins.concatStringsSep " " [
      "-Lnative=${import ../rust/musl.nix { inherit bootstrap; }}/lib"
      "-Clink-arg=${bootstrap.gcc}/lib/gcc/x86_64-linux-musl/${(builtins.parseDrvName bootstrap.gcc.name).version}/libgcc.a"
    ];
  };

  meta = {
    description = "Package manager of Rust";
    homepage = "https://doc.rust-lang.org/cargo/";
    license = "MIT OR Apache-2.0";
    platforms = [ "x86_64-linux" ];
  };
}
