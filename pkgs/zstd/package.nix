{ stdenv, fetchSource }:

stdenv.mkDerivation {
  pname = "zstd";
  version = "1.5.7";

  # Debian's archive lacks documents whose licences it doubts, so it is no other's.
  src =
    (fetchSource {
      name = "zstd-1.5.7";
      hash = "sha256-DAku8mftzle6fz8mRchh9y6vXnYnPGw2MoaUI0ZLkKU=";
      debian = {
        package = "libzstd";
        version = "1.5.7+dfsg";
        file = "libzstd_1.5.7+dfsg.orig.tar.xz";
      };
    }).source;

  outputs = [
    "out"
    "dev"
  ];

  # The makefile's own search for libraries of other formats is a guess.
  makeFlags = [
    "PREFIX=$(out)"
    "HAVE_ZLIB=0"
    "HAVE_LZMA=0"
    "HAVE_LZ4=0"
  ];
  buildPhase = ''
    run_make -j"$NIX_BUILD_CORES" "-C lib libzstd.a"
    run_make -j"$NIX_BUILD_CORES" "-C programs zstd"
  '';
  # zstdgrep and zstdless want a shell with many programs.
  installPhase = ''
    run_make -j1 "-C lib install-static install-includes install-pc"
    mkdir -p "$out/bin"
    cp programs/zstd "$out/bin"
    for name in unzstd zstdcat zstdmt; do ln -s zstd "$out/bin/$name"; done
  '';

  tests.roundTrip = ''
    seq 10000 | zstd -19 | zstd -d | tail -n1 | grep -qx 10000
  '';

  meta = {
    description = "Fast compressor, and its library";
    homepage = "https://facebook.github.io/zstd/";
    license = "BSD-3-Clause OR GPL-2.0-only";
    mainProgram = "zstd";
    cpe = "cpe:2.3:a:facebook:zstandard:1.5.7";
  };
}
