{ stdenv, fetchSource, buildPackages, m4 }:

stdenv.mkDerivation {
  pname = "bison";
  version = "3.8.2";

  # Debian's archive lacks the manual, which the examples are cut out of: only the program and what it reads are made.
  src =
    (fetchSource {
      name = "bison-3.8.2";
      hash = "sha256-3/ijyW3TQSGCj2Kn+knh93ZYFbieWfVk6NKp5xwXe+U=";
      debian = {
        package = "bison";
        version = "3.8.2+dfsg";
        file = "bison_3.8.2+dfsg.orig.tar.xz";
      };
    }).source;

  configureFlags = [
    "--disable-nls"
    "--disable-yacc"
  ];
  nativeBuildInputs = [ buildPackages.m4 ];
  # It runs m4 when it is used.
  allowedReferences = [ m4 ];
  preConfigure = ''export M4=${m4}/bin/m4'';
  buildPhase = ''
    echo 'built: $(filter-out $(srcdir)/examples/% examples/%,$(BUILT_SOURCES))' >built.mk
    run_make -j"$NIX_BUILD_CORES" "-f Makefile -f built.mk built"
    run_make -j"$NIX_BUILD_CORES" src/bison
  '';
  installPhase = ''
    mkdir -p "$out/bin" "$out/share"
    cp src/bison "$out/bin"
    cp -r data "$out/share/bison"
  '';

  tests.runs = ''
    printf '%%token A\n%%%%\ns: A | s A;\n' >grammar.y
    bison -o grammar.c grammar.y && grep -q yyparse grammar.c
  '';

  meta = {
    description = "Generator of parsers, of GNU";
    homepage = "https://www.gnu.org/software/bison/";
    license = "GPL-3.0-or-later";
    mainProgram = "bison";
    cpe = "cpe:2.3:a:gnu:bison:3.8.2";
  };
}
