{ stdenv, fetchSource }:

stdenv.mkDerivation {
  pname = "coreutils";
  version = "9.7";

  src =
    (fetchSource {
      name = "coreutils-9.7";
      urls = [ "https://ftp.gnu.org/gnu/coreutils/coreutils-9.7.tar.xz" ];
      hash = "sha256-6LsmrQKT+bWh/EP7QrqXDjEsZs6SwbCxZxPXUA2yUb8=";
      debian = {
        package = "coreutils";
        version = "9.7";
        file = "coreutils_9.7.orig.tar.xz";
      };
    }).source;

  configureFlags = [
    "--disable-nls"
    "--without-gmp"
    "--disable-libcap"
    # One program that is all of them: a tenth of the bytes.
    "--enable-single-binary=symlinks"
    "--enable-no-install-program=stdbuf"
    # configure tries it in deep folders, and two builds came to two answers; this is what Linux's and musl's getcwd does.
    "gl_cv_func_getcwd_path_max=no, but it is partly working"
  ];

  tests.runs = ''
    for program in cp ls sort sha256sum numfmt stat; do "$package/bin/$program" --version | grep -q '(GNU coreutils) 9.7'; done
    test "$("$package/bin/seq" 3 | "$package/bin/sort" -r | "$package/bin/paste" -sd+)" = 3+2+1
    test "$(printf abc | "$package/bin/b2sum" -l 128 | "$package/bin/cut" -c1-8)" = cf4ab791
  '';

  meta = {
    description = "Programs for files, texts and the shell, of GNU";
    homepage = "https://www.gnu.org/software/coreutils/";
    license = "GPL-3.0-or-later";
    mainProgram = "coreutils";
    cpe = "cpe:2.3:a:gnu:coreutils:9.7";
  };
}
