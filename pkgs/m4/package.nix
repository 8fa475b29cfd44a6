{ stdenv, bootstrap }:

stdenv.mkDerivation {
  pname = "m4";
  version = "1.4.19";

  src = bootstrap.sources.m4.source;

  configureFlags = [
    "--disable-nls"
    # Else it is the first shell that configure finds.
    "--with-syscmd-shell=/bin/sh"
  ];

  tests.runs = ''
    test "$(printf 'changequote([, ])define(f, [$2 $1])f(a, b) eval(2 ** 10)' | "$package/bin/m4")" = "b a 1024"
    # It starts programs by /bin/sh.
    test "$(printf 'esyscmd(echo $((6 * 7)))' | "$package/bin/m4")" = 42
  '';

  meta = {
    description = "Macro processor of GNU";
    homepage = "https://www.gnu.org/software/m4/";
    license = "GPL-3.0-or-later";
    mainProgram = "m4";
    cpe = "cpe:2.3:a:gnu:m4:1.4.19";
  };
}
