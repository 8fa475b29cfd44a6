{ stdenv, fetchSource }:

stdenv.mkDerivation {
  pname = "pkgconf";
  version = "1.8.1";

  src =
    (fetchSource {
      name = "pkgconf-1.8.1";
      hash = "sha256-ZENhraKUK+BWVdRFLrAYeRZHwxu6Qpsofx9o3rLcaEA=";
      debian = {
        package = "pkgconf";
        version = "1.8.1";
        file = "pkgconf_1.8.1.orig.tar.xz";
      };
    }).source;

  configureFlags = [
    "--with-pkg-config-dir=/pkg-config-dir-not-set"
    "--with-system-libdir=/lib-not-set"
    "--with-system-includedir=/include-not-set"
  ];
  postInstall = ''
    ln -s pkgconf "$out/bin/pkg-config"
    rm -rf "$out/include" "$out/lib"
  '';

  tests.runs = ''
    printf 'Name: a\nDescription: b\nVersion: 1.2\nprefix=/p\nLibs: -L''${prefix}/lib -la\n' >a.pc
    test "$(PKG_CONFIG_PATH=$PWD pkg-config --libs a)" = "-L/p/lib -la "
  '';

  meta = {
    description = "Program that tells how to compile and link with libraries";
    homepage = "http://pkgconf.org/";
    license = "ISC";
    mainProgram = "pkgconf";
    cpe = "cpe:2.3:a:pkgconf:pkgconf:1.8.1";
  };
}
