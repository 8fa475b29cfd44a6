{ stdenv, fetchSource }:

stdenv.mkDerivation {
  pname = "findutils";
  version = "4.10.0";

  src =
    (fetchSource {
      name = "findutils-4.10.0";
      urls = [ "https://ftp.gnu.org/gnu/findutils/findutils-4.10.0.tar.xz" ];
      hash = "sha256-E4fgtn/yR9Kr3pmPkN+/cMFJE5Glnd/suK5ph4nwpPU=";
      debian = {
        package = "findutils";
        version = "4.10.0";
        file = "findutils_4.10.0.orig.tar.xz";
      };
    }).source;

  configureFlags = [
    "--disable-nls"
    # configure tries it in deep folders, and two builds came to two answers; this is what Linux's and musl's getcwd does.
    "gl_cv_func_getcwd_path_max=no, but it is partly working"
  ];
  # A database of all names of a machine isn't for what runs here.
  postInstall = ''rm -rf "$out/bin/locate" "$out/bin/updatedb" "$out/libexec" "$out/var"'';

  tests.runs = ''
    mkdir -p a/b && touch a/b/c a/d
    test "$("$package/bin/find" a -type f -printf '%f\n' | sort | "$package/bin/xargs" -n2 echo)" = "c d"
  '';

  meta = {
    description = "Programs that search folders, of GNU";
    homepage = "https://www.gnu.org/software/findutils/";
    license = "GPL-3.0-or-later";
    mainProgram = "find";
    cpe = "cpe:2.3:a:gnu:findutils:4.10.0";
  };
}
