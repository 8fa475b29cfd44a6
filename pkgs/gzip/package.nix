{ stdenv, fetchSource }:

stdenv.mkDerivation {
  pname = "gzip";
  version = "1.13";

  src =
    (fetchSource {
      name = "gzip-1.13";
      urls = [ "https://ftp.gnu.org/gnu/gzip/gzip-1.13.tar.xz" ];
      hash = "sha256-dFTraTXbF8ZlVXbC4bD6vv04tNCTbg+H9IzQYs6RoFc=";
      debian = {
        package = "gzip";
        version = "1.13";
        file = "gzip_1.13.orig.tar.xz";
      };
    }).source;

  # gunzip and zcat are the program itself, which does as it is called only if that is asked for; zgrep and kin want a shell with
  # many programs.
  CPPFLAGS = "-DGNU_STANDARD=0";
  postInstall = ''
    cd "$out/bin"
    find . -type f ! -name gzip -delete
    ln -s gzip gunzip
    ln -s gzip zcat
  '';

  tests.roundTrip = ''
    printf 'a text, a text, a text' | gzip -9 >file.gz
    test "$(gunzip <file.gz)" = 'a text, a text, a text' && test "$(zcat file.gz)" = 'a text, a text, a text'
  '';

  meta = {
    description = "Compressor of GNU";
    homepage = "https://www.gnu.org/software/gzip/";
    license = "GPL-3.0-or-later";
    mainProgram = "gzip";
    cpe = "cpe:2.3:a:gnu:gzip:1.13";
  };
}
