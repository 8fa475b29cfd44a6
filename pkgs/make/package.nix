{ stdenv, bootstrap }:

stdenv.mkDerivation {
  pname = "make";
  version = "4.4.1";

  src = bootstrap.sources.make.source;

  configureFlags = [
    "--disable-nls"
    "--without-guile"
  ];
  # Debian's archive lacks the manual.
  preConfigure = ''
    mkdir -p doc
    printf 'all install:\n' >doc/Makefile.in
    touch doc/make.1
  '';
  postInstall = ''rm -r "$out/include"'';

  tests.runs = ''
    printf 'all: one two\none two:\n\t@echo made $@\n' >makefile
    test "$("$package/bin/make" -j1 | tr '\n' ' ')" = "made one made two "
  '';

  meta = {
    description = "Builder by rules, of GNU";
    homepage = "https://www.gnu.org/software/make/";
    license = "GPL-3.0-or-later";
    mainProgram = "make";
    cpe = "cpe:2.3:a:gnu:make:4.4.1";
  };
}
