{ stdenv, fetchSource, buildPackages, zlib, bzip2, xz }:

stdenv.mkDerivation {
  pname = "python3";
  version = "3.13.5";

  src =
    (fetchSource {
      name = "python-3.13.5";
      urls = [ "https://www.python.org/ftp/python/3.13.5/Python-3.13.5.tar.xz" ];
      hash = "sha256-k+WD8kNFTm6eRYjKLCZiIGrZYWWYYyd6/NuWgBZH1kA=";
      debian = {
        package = "python3.13";
        version = "3.13.5";
        file = "python3.13_3.13.5.orig.tar.xz";
      };
    }).source;

  nativeBuildInputs = [ buildPackages.pkgconf ];
  buildInputs = [
    bzip2
    xz
    zlib
  ];

  # Modules of C are part of the program, which is static. Without ssl and ctypes, which want libraries that aren't here.
  configureFlags = [
    "--without-ensurepip"
    "--disable-test-modules"
    "--with-pkg-config=yes"
    "MODULE_BUILDTYPE=static"
    "LDFLAGS=-static"
    "LINKFORSHARED= "
    "py_cv_module__ctypes=n/a"
    "py_cv_module__curses=n/a"
    "py_cv_module__curses_panel=n/a"
    "py_cv_module__dbm=n/a"
    "py_cv_module__gdbm=n/a"
    "py_cv_module__hashlib=n/a"
    "py_cv_module__ssl=n/a"
    "py_cv_module__tkinter=n/a"
    "py_cv_module__uuid=n/a"
    "py_cv_module_readline=n/a"
  ];
  postInstall = ''
    rm -rf "$out"/lib/python3.13/{config-3.13*,idlelib,turtledemo,tkinter,ensurepip,pydoc_data} "$out"/lib/libpython3.13.a \
        "$out/lib/pkgconfig" "$out/include" "$out"/bin/{idle3*,pydoc3*,python3*-config}
    ln -s python3 "$out/bin/python"
    remove_references $(grep -rlI /sx/store/ "$out/lib")
    # Compiled modules of `python3 -O`, and those that hold what their sources held before.
    find "$out/lib" \( -name '*.opt-?.pyc' -o -name '_sysconfigdata*.pyc' \) -delete
  '';

  tests.modules = ''
    cat >modules.py <<'END'
    import bz2, decimal, hashlib, json, lzma, multiprocessing, subprocess, zlib

    def square(number):
        return number * number

    if __name__ == "__main__":
        text = b"abc"
        for module in (bz2, lzma, zlib):
            text = module.decompress(module.compress(text))
        with multiprocessing.Pool(2) as pool:
            squares = pool.map(square, [1, 2, 3])
        shell = subprocess.check_output("echo by the shell", shell=True, text=True).strip()
        print(json.dumps([hashlib.sha256(text).hexdigest()[:8], str(decimal.Decimal(1) / 7)[:6], squares, shell]))
    END
    test "$(python3 modules.py)" = '["ba7816bf", "0.1428", [1, 4, 9], "by the shell"]'
  '';

  meta = {
    description = "Language with a large library";
    homepage = "https://www.python.org/";
    license = "PSF-2.0";
    mainProgram = "python3";
    cpe = "cpe:2.3:a:python:python:3.13.5";
  };
}
