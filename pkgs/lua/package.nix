{ stdenv, fetchSource }:

stdenv.mkDerivation {
  pname = "lua";
  version = "5.4.7";

  src =
    (fetchSource {
      name = "lua-5.4.7";
      urls = [ "https://www.lua.org/ftp/lua-5.4.7.tar.gz" ];
      hash = "sha256-n79eKO+GxphY9tPTTszDLpEcGii0Eg/z6EqqcM+/HjA=";
      debian = {
        package = "lua5.4";
        version = "5.4.7";
        file = "lua5.4_5.4.7.orig.tar.gz";
      };
    }).source;

  outputs = [
    "out"
    "dev"
  ];

  # Libraries of C can't be loaded by a static program, so it doesn't look for them; those of Lua lie where -DLUA_ROOT says.
  buildPhase = ''
    make -C src -j"$NIX_BUILD_CORES" SHELL="$SHELL" CC="$CC" RANLIB=ranlib AR="ar rcu" SYSCFLAGS=-DLUA_USE_POSIX CFLAGS="$CFLAGS -DLUA_COMPAT_5_3 -DLUA_USE_POSIX" all
  '';
  installPhase = ''
    make SHELL="$SHELL" INSTALL_TOP="$out" install
    rm -rf "$out/man" "$out/share" "$out/lib/lua"
  '';

  tests.closures = ''
    test "$(lua -e 'local t = {} for w in ("b a c"):gmatch("%a") do t[#t + 1] = w end table.sort(t) print(table.concat(t), 7 // 2, 2^53 | 0)')" = "abc	3	9007199254740992"
  '';

  meta = {
    description = "Small language for scripts inside programs";
    homepage = "https://www.lua.org/";
    license = "MIT";
    mainProgram = "lua";
    cpe = "cpe:2.3:a:lua:lua:5.4.7";
  };
}
