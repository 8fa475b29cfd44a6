{ stdenv, fetchSource, buildPackages, zlib }:

stdenv.mkDerivation {
  pname = "sqlite";
  version = "3.46.1";

  # Debian packs upstream's source tree anew: not the amalgamation, which is made here.
  src =
    (fetchSource {
      name = "sqlite-3.46.1";
      hash = "sha256-0M3S7OJxsp584YCVdF2JJRfuJtDycAZbOiXC6esRY5w=";
      debian = {
        package = "sqlite3";
        version = "3.46.1";
        file = "sqlite3_3.46.1.orig.tar.xz";
      };
    }).source;

  outputs = [
    "out"
    "dev"
  ];

  nativeBuildInputs = [ buildPackages.tcl ];
  configureFlags = [
    "--disable-tcl"
    "--disable-readline"
    "--enable-fts5"
    "--enable-math"
    "--with-tempstore=yes"
  ];

  tests.query = ''
    test "$(sqlite3 :memory: "create virtual table t using fts5(a); insert into t values ('one two'), ('three');
      select count(*), rowid, floor(2.5) from t where t match 'three'")" = "1|2|2.0"
  '';

  meta = {
    description = "Database in a library, and its shell";
    homepage = "https://www.sqlite.org/";
    license = "blessing";
    mainProgram = "sqlite3";
    cpe = "cpe:2.3:a:sqlite:sqlite:3.46.1";
  };
}
