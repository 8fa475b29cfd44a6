{
  stdenv,
  fetchSource,
  binutils,
}:

stdenv.mkDerivation {
  pname = "zlib";
  version = "1.3.1";

  # Debian's archive lacks a few files whose licences it doubts, so it is no other's.
  src =
    (fetchSource {
      name = "zlib-1.3.1";
      hash = "sha256-YN0xXAf2Foh8qgKUCDCKAYrOZuPRQnJql9sWSzuPafs=";
      debian = {
        package = "zlib";
        version = "1.3.1";
        file = "zlib_1.3.dfsg+really1.3.1.orig.tar.gz";
      };
    }).source;

  # Its configure script is no autoconf's.
  configurePhase = ''$SHELL ./configure --prefix="$out" --static'';
  makeFlags = [ "AR=ar" ];
  doCheck = true;

  tests.round-trip = ''
    cat >round-trip.c <<'END'
    #include <string.h>
    #include <zlib.h>
    int main(void)
    {
        static unsigned char text[100000], small[1000], again[sizeof text];
        unsigned long size = sizeof small, length = sizeof again;
        memset(text, 'a', sizeof text);
        return compress(small, &size, text, sizeof text) != Z_OK || uncompress(again, &length, small, size) != Z_OK
            || length != sizeof text || memcmp(text, again, length) != 0;
    }
    END
    gcc -I"$package/include" round-trip.c -L"$package/lib" -lz -o round-trip
    ./round-trip
  '';
  testInputs = [
    stdenv.cc
    binutils
  ];

  meta = {
    description = "Library that compresses as gzip and zip do";
    homepage = "https://zlib.net/";
    license = "Zlib";
    cpe = "cpe:2.3:a:zlib:zlib:1.3.1";
  };
}
