{ stdenv, fetchSource }:

stdenv.mkDerivation {
  pname = "patch";
  version = "2.8";

  src =
    (fetchSource {
      name = "patch-2.8";
      urls = [ "https://ftp.gnu.org/gnu/patch/patch-2.8.tar.xz" ];
      hash = "sha256-+Hzuae7CtPy/YKOWsDCtaqNBXxkqpffuhMrV4R9/WuM=";
      debian = {
        package = "patch";
        version = "2.8";
        file = "patch_2.8.orig.tar.xz";
      };
    }).source;

  configureFlags = [
    "--disable-xattr"
    # What scripts for ed are given to: whatever is in PATH.
    "ac_cv_path_ED=ed"
  ];

  tests.runs = ''
    seq 5 >file
    printf '%s\n' '--- file' '+++ file' '@@ -2,3 +2,3 @@' ' 2' '-3' '+three' ' 4' | "$package/bin/patch"
    grep -qx three file
  '';

  meta = {
    description = "Program that applies diffs, of GNU";
    homepage = "https://www.gnu.org/software/patch/";
    license = "GPL-3.0-or-later";
    mainProgram = "patch";
    cpe = "cpe:2.3:a:gnu:patch:2.8";
  };
}
