{ stdenv, bootstrap }:

stdenv.mkDerivation {
  pname = "grep";
  version = "3.11";

  src = bootstrap.sources.grep.source;

  configureFlags = [
    "--disable-nls"
    "--disable-perl-regexp"
  ];
  # egrep and fgrep are scripts that only warn.
  postInstall = ''rm "$out/bin/egrep" "$out/bin/fgrep"'';

  tests.runs = ''
    test "$(seq 100 | "$package/bin/grep" -cE '^(.)\1$')" = 9
    "$package/bin/grep" --version | head -n1 | grep -q 3.11
  '';

  meta = {
    description = "Searcher of lines, of GNU";
    homepage = "https://www.gnu.org/software/grep/";
    license = "GPL-3.0-or-later";
    mainProgram = "grep";
    cpe = "cpe:2.3:a:gnu:grep:3.11";
  };
}
