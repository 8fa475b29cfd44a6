{ stdenv, fetchSource }:

stdenv.mkDerivation {
  pname = "tar";
  version = "1.35";

  # Debian's archive lacks the manual.
  src =
    (fetchSource {
      name = "tar-1.35";
      hash = "sha256-muV+mBwec8DuvCsmybDESX/jEO8dUW6kMO+1Rwtx96g=";
      debian = {
        package = "tar";
        version = "1.35+dfsg";
        file = "tar_1.35+dfsg.orig.tar.xz";
      };
    }).source;

  configureFlags = [ "--disable-nls" ];
  # The program that answers `rmt` for tapes elsewhere, and its scripts.
  postInstall = ''rm -rf "$out/libexec" "$out/sbin"'';

  tests.runs = ''
    mkdir folder && seq 100 >folder/file
    tar -cf archive.tar folder && rm -r folder && tar -xf archive.tar && test "$(tail -n1 folder/file)" = 100
    tar --version | grep -q '^tar (GNU tar) 1.35'
  '';

  meta = {
    description = "Archiver of GNU";
    homepage = "https://www.gnu.org/software/tar/";
    license = "GPL-3.0-or-later";
    mainProgram = "tar";
    cpe = "cpe:2.3:a:gnu:tar:1.35";
  };
}
