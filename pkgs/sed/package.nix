{ stdenv, bootstrap }:

stdenv.mkDerivation {
  pname = "sed";
  version = "4.9";

  src = bootstrap.sources.sed.source;

  configureFlags = [
    "--disable-nls"
  ];

  tests.runs = ''
    test "$("$package/bin/sed" -E 's/(a+)b/<\1>/2' <<<'ab aab')" = 'ab <aa>'
    "$package/bin/sed" --version | grep -q '(GNU sed) 4.9'
  '';

  meta = {
    description = "Stream editor of GNU";
    homepage = "https://www.gnu.org/software/sed/";
    license = "GPL-3.0-or-later";
    mainProgram = "sed";
    cpe = "cpe:2.3:a:gnu:sed:4.9";
  };
}
