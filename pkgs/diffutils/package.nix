{ stdenv, fetchSource }:

stdenv.mkDerivation {
  pname = "diffutils";
  version = "3.10";

  src =
    (fetchSource {
      name = "diffutils-3.10";
      urls = [ "https://ftp.gnu.org/gnu/diffutils/diffutils-3.10.tar.xz" ];
      hash = "sha256-kOXpPMck5OvhLt6A3xY0Bjx6hVaSaFkZv+YLVWyb0J4=";
      debian = {
        package = "diffutils";
        version = "3.10";
        file = "diffutils_3.10.orig.tar.xz";
      };
    }).source;

  configureFlags = [
    "--disable-nls"
  ];

  tests.runs = ''
    seq 5 >one && seq 5 | sed s/3/three/ >two
    "$package/bin/diff" -u one two >changes || test $? = 1
    grep -qx -- -3 changes && grep -qx +three changes
    "$package/bin/cmp" -s one one && ! "$package/bin/cmp" -s one two
  '';

  meta = {
    description = "Programs that compare files, of GNU";
    homepage = "https://www.gnu.org/software/diffutils/";
    license = "GPL-3.0-or-later";
    mainProgram = "diff";
    cpe = "cpe:2.3:a:gnu:diffutils:3.10";
  };
}
