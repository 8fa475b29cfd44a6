{ stdenv, fetchSource }:

stdenv.mkDerivation {
  pname = "xz";
  version = "5.8.1";

  src =
    (fetchSource {
      name = "xz-5.8.1";
      urls = [ "https://github.com/tukaani-project/xz/releases/download/v5.8.1/xz-5.8.1.tar.xz" ];
      hash = "sha256-C1T3nfhZElBN4LFK7Hlx4/lkSRrxgS2DRHAFgHUTzZ4=";
      debian = {
        package = "xz-utils";
        version = "5.8.1";
        file = "xz-utils_5.8.1.orig.tar.xz";
      };
    }).source;

  outputs = [
    "out"
    "dev"
  ];

  # The scripts around it (xzgrep and kin) want a shell with many programs.
  configureFlags = [
    "--disable-nls"
    "--disable-scripts"
    "--disable-doc"
  ];
  # Where it would lie there would be nothing else.
  postInstall = ''rm "$out/lib/liblzma.la"'';

  tests.roundTrip = ''
    printf 'a text, a text, a text' | xz -9 | xz -d | grep -q '^a text, a text, a text$'
  '';

  meta = {
    description = "Compressor with a high ratio, and its library";
    homepage = "https://tukaani.org/xz/";
    license = "0BSD AND LGPL-2.1-or-later AND GPL-2.0-or-later";
    mainProgram = "xz";
    cpe = "cpe:2.3:a:tukaani:xz:5.8.1";
  };
}
