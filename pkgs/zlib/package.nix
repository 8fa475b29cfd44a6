{ stdenv, fetchSource }:

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

  meta = {
    description = "Library that compresses as gzip and zip do";
    homepage = "https://zlib.net/";
    license = "Zlib";
    cpe = "cpe:2.3:a:zlib:zlib:1.3.1";
  };
}
