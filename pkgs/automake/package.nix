{ stdenv, fetchSource, buildPackages, autoconf, perl }:

stdenv.mkDerivation {
  pname = "automake";
  version = "1.17";

  src =
    (fetchSource {
      name = "automake-1.17";
      urls = [ "https://ftp.gnu.org/gnu/automake/automake-1.17.tar.xz" ];
      hash = "sha256-iSDB/EEeE7kL9wTvnbbynVQOdtIyyzssn03EzFmb2ZA=";
      debian = {
        package = "automake-1.17";
        version = "1.17";
        file = "automake-1.17_1.17.orig.tar.xz";
      };
    }).source;

  nativeBuildInputs = [
    buildPackages.autoconf
    buildPackages.perl
  ];
  allowedReferences = [
    autoconf
    perl
  ];
  preConfigure = ''export PERL=${perl}/bin/perl AUTOCONF=${autoconf}/bin/autoconf AUTOM4TE=${autoconf}/bin/autom4te'';

  tests.makefile = ''
    printf 'AC_INIT([a], [1])\nAM_INIT_AUTOMAKE([foreign])\nAC_CONFIG_FILES([Makefile])\nAC_OUTPUT\n' >configure.ac
    echo 'dist_data_DATA = configure.ac' >Makefile.am
    aclocal && autoconf && automake --add-missing --copy && sh ./configure >/dev/null
    make install DESTDIR=$PWD/d SHELL=/bin/sh >/dev/null && test -f d/usr/local/share/configure.ac
  '';
  testInputs = [ autoconf ];

  meta = {
    description = "Maker of makefiles, of GNU";
    homepage = "https://www.gnu.org/software/automake/";
    license = "GPL-2.0-or-later";
    mainProgram = "automake";
    cpe = "cpe:2.3:a:gnu:automake:1.17";
  };
}
