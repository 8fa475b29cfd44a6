{ buildRustPackage, fetchCrate }:

buildRustPackage {
  pname = "ripgrep";
  version = "14.1.1";

  source = fetchCrate {
    name = "ripgrep";
    version = "14.1.1";
    sha256 = "f77b8032dc584527975f34aa5a897d0ef5a785573fda778771a614ff9da501d9";
  };
  cargoLock = ./Cargo.lock;

  # jemalloc is a C library whose configure script wants a shell at /bin/sh; musl has an allocator.
  patches = [ ./1-allocator-of-musl.patch ];

  # busybox's xz knows no --format=lzma, which this test calls.
  checkFlags = [ "--skip=compressed_lzma" ];

  tests.search = ''
    printf 'one\ntwo words\n' >a && printf '\0two' >b
    test "$(rg --line-number w.rds)" = "a:2:two words"
  '';

  meta = {
    description = "Search for patterns in the files of a folder";
    homepage = "https://github.com/BurntSushi/ripgrep";
    license = "MIT OR Unlicense";
    mainProgram = "rg";
    platforms = [ "x86_64-linux" ];
  };
}
