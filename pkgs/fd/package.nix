{ buildRustPackage, fetchCrate }:

buildRustPackage {
  pname = "fd";
  version = "10.2.0";

  source = fetchCrate {
    name = "fd-find";
    version = "10.2.0";
    sha256 = "de08defa195af894cc295a43bfc65ba28903e492fd5f32f7a24bf75eafd9bf34";
  };
  cargoLock = ./Cargo.lock;

  # Without jemalloc, a C library whose configure script wants a shell at /bin/sh; musl has an allocator.
  cargoFlags = [
    "--no-default-features"
    "--features=completions"
  ];

  # Where its own tests are asked for: the first wants `ls -h`, which the sandbox's `ls` doesn't have, the other a user named root.
  checkFlags = [
    "--skip=test_list_details"
    "--skip=test_owner_root"
  ];

  tests.search = ''
    mkdir -p a/b .hidden && touch a/b/one.c a/two.h .hidden/three.c
    test "$(fd --extension c)" = a/b/one.c
  '';

  meta = {
    description = "Search for files by name";
    homepage = "https://github.com/sharkdp/fd";
    license = "MIT OR Apache-2.0";
    platforms = [ "x86_64-linux" ];
  };
}
