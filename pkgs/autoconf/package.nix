{ stdenv, fetchSource, buildPackages, m4, perl }:

stdenv.mkDerivation {
  pname = "autoconf";
  version = "2.72";

  src =
    (fetchSource {
      name = "autoconf-2.72";
      urls = [ "https://ftp.gnu.org/gnu/autoconf/autoconf-2.72.tar.xz" ];
      hash = "sha256-uohcExlXjWyU1G6bDc60AUyq/iSQ5Deg28o/JwoiP1o=";
      debian = {
        package = "autoconf";
        version = "2.72";
        file = "autoconf_2.72.orig.tar.xz";
      };
    }).source;

  nativeBuildInputs = [
    buildPackages.m4
    buildPackages.perl
  ];
  # It is scripts of Perl that run m4.
  allowedReferences = [
    m4
    perl
  ];
  preConfigure = ''export M4=${m4}/bin/m4 PERL=${perl}/bin/perl'';

  tests.configure = ''
    printf 'AC_INIT([a], [1])\nAC_CONFIG_FILES([b])\nAC_OUTPUT\n' >configure.ac
    autoconf && echo '@PACKAGE_NAME@ @PACKAGE_VERSION@' >b.in && sh ./configure >/dev/null
    test "$(cat b)" = "a 1"
  '';

  meta = {
    description = "Maker of configure scripts, of GNU";
    homepage = "https://www.gnu.org/software/autoconf/";
    license = "GPL-3.0-or-later WITH Autoconf-exception-generic-3.0";
    mainProgram = "autoconf";
    cpe = "cpe:2.3:a:gnu:autoconf:2.72";
  };
}
