{ stdenv, fetchSource, buildPackages, m4 }:

stdenv.mkDerivation {
  pname = "flex";
  version = "2.6.4";

  src =
    (fetchSource {
      name = "flex-2.6.4";
      urls = [ "https://github.com/westes/flex/releases/download/v2.6.4/flex-2.6.4.tar.gz" ];
      hash = "sha256-6HquAyvwfCb4WsDtMlCZjDdiHZX4vXSLMfFbM8Re6ZU=";
      debian = {
        package = "flex";
        version = "2.6.4";
        file = "flex_2.6.4.orig.tar.gz";
      };
    }).source;

  configureFlags = [
    "--disable-nls"
    "ac_cv_func_malloc_0_nonnull=yes"
    "ac_cv_func_realloc_0_nonnull=yes"
  ];
  nativeBuildInputs = [ buildPackages.m4 ];
  # It runs m4 when it is used.
  allowedReferences = [ m4 ];
  preConfigure = ''export M4=${m4}/bin/m4'';

  tests.runs = ''
    printf '%%%%\na+ return 1;\n' >lexer.l
    flex -o lexer.c lexer.l && grep -q yylex lexer.c
  '';

  meta = {
    description = "Generator of lexers";
    homepage = "https://github.com/westes/flex";
    license = "BSD-3-Clause";
    mainProgram = "flex";
    cpe = "cpe:2.3:a:westes:flex:2.6.4";
  };
}
