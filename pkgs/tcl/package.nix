{ stdenv, fetchSource }:

stdenv.mkDerivation {
  pname = "tcl";
  version = "8.6.16";

  # Debian's archive lacks libraries of others that lie in upstream's.
  src =
    (fetchSource {
      name = "tcl-8.6.16";
      hash = "sha256-w7aoA+ouVcr6i0tSVGprO7NyKSfc9L6+OmVJ/TU3Auo=";
      debian = {
        package = "tcl8.6";
        version = "8.6.16+dfsg";
        file = "tcl8.6_8.6.16+dfsg.orig.tar.gz";
      };
    }).source;

  configureScript = "unix/configure";
  configureFlags = [
    "--disable-threads"
    # What it reads when it starts lies beside it, wherever that is.
    "--disable-zipfs"
  ];
  # The packages that come with it aren't needed to run it.
  buildFlags = [ "tclsh" ];
  installTargets = "install-binaries install-libraries";
  # What other programs would be compiled with.
  postInstall = ''
    rm -rf "$out/include" "$out/bin/tclsh8.6-config" "$out"/lib/{*.a,*.sh,pkgconfig}
    ln -s tclsh8.6 "$out/bin/tclsh"
  '';

  tests.runs = ''
    test "$(echo 'package require msgcat; puts [lsort [split "b c a"]]' | tclsh)" = "a b c"
  '';

  meta = {
    description = "Language for commands and strings";
    homepage = "https://www.tcl-lang.org/";
    license = "TCL";
    mainProgram = "tclsh8.6";
    cpe = "cpe:2.3:a:tcl:tcl:8.6.16";
  };
}
