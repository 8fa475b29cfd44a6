{ stdenv, fetchSource }:

stdenv.mkDerivation {
  pname = "gawk";
  version = "5.2.1";

  src =
    (fetchSource {
      name = "gawk-5.2.1";
      hash = "sha256-IzegKDsYDsG5xyeXOjR4HGR4s66by9zKCk3EmGHXWmU=";
      debian = {
        package = "gawk";
        version = "5.2.1";
        file = "gawk_5.2.1.orig.tar.xz";
      };
    }).source;

  configureFlags = [
    "--disable-nls"
    "--disable-mpfr"
    "--disable-extensions"
    "--without-readline"
  ];
  # Debian's archive lacks the manual, from which the examples in awklib are taken.
  makeFlags = [ "SUBDIRS=support ." ];
  postInstall = ''rm -rf "$out/bin/gawkbug" "$out"/bin/gawk-* "$out/etc" "$out/include" "$out/lib" "$out/libexec" "$out/share"'';

  tests.runs = ''
    test "$(seq 4 | gawk '{ a[NR] = $1 ^ 2 } END { n = asort(a, b, "@val_num_desc"); print b[1], n, strftime("%Y", 0, 1) }')" = "16 4 1970"
  '';

  meta = {
    description = "Language for patterns in texts, of GNU";
    homepage = "https://www.gnu.org/software/gawk/";
    license = "GPL-3.0-or-later";
    mainProgram = "gawk";
    cpe = "cpe:2.3:a:gnu:gawk:5.2.1";
  };
}
