{ stdenv, fetchSource }:

stdenv.mkDerivation {
  pname = "bzip2";
  version = "1.0.8";

  src =
    (fetchSource {
      name = "bzip2-1.0.8";
      urls = [ "https://sourceware.org/pub/bzip2/bzip2-1.0.8.tar.gz" ];
      hash = "sha256-q1oDF27hBtPw+pDjgdpHjdrkBZGBU8yiSOaCzQxKImk=";
      debian = {
        package = "bzip2";
        version = "1.0.8";
        file = "bzip2_1.0.8.orig.tar.gz";
      };
    }).source;

  outputs = [
    "out"
    "dev"
  ];

  # The makefile names the compiler itself, and its scripts want a shell with many programs.
  buildPhase = ''make -j"$NIX_BUILD_CORES" SHELL="$SHELL" CC="$CC" CFLAGS="$CFLAGS -D_FILE_OFFSET_BITS=64" libbz2.a bzip2 bzip2recover'';
  installPhase = ''
    mkdir -p "$out/bin" "$out/lib" "$out/include"
    cp bzip2 bzip2recover "$out/bin"
    ln -s bzip2 "$out/bin/bunzip2"
    ln -s bzip2 "$out/bin/bzcat"
    cp libbz2.a "$out/lib"
    cp bzlib.h "$out/include"
  '';

  tests.roundTrip = ''
    printf 'a text, a text, a text' | bzip2 -9 | bunzip2 | grep -q '^a text, a text, a text$'
  '';

  meta = {
    description = "Compressor by block sorting, and its library";
    homepage = "https://sourceware.org/bzip2/";
    license = "bzip2-1.0.6";
    mainProgram = "bzip2";
    cpe = "cpe:2.3:a:bzip:bzip2:1.0.8";
  };
}
