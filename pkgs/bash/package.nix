{ stdenv, bootstrap }:

stdenv.mkDerivation {
  pname = "bash";
  version = "5.2.37";

  src = bootstrap.sources.bash.source;

  configureFlags = [
    "--disable-nls"
    "--without-bash-malloc"
    # Line editing comes from the library inside the archive; terminals are described by the file that --with-curses wants, so
    # without it the built-in ones serve.
    "--enable-static-link"
    "--without-curses"
  ];
  # A file that calls a function which it doesn't declare; new compilers take that for a mistake.
  postPatch = ''sed -i '1i #include <unistd.h>' lib/termcap/tparam.c'';
  makeFlags = [ "-j1" ];
  postInstall = ''
    rm -rf "$out/lib" "$out/include" "$out/bin/bashbug"
    ln -s bash "$out/bin/sh"
  '';

  tests.arrays = ''
    test "$($package/bin/bash -c 'declare -A a=([x]=1); echo "''${a[x]} ''${BASH_VERSION%%(*}"')" = "1 5.2.37"
  '';

  meta = {
    description = "Shell of GNU";
    homepage = "https://www.gnu.org/software/bash/";
    license = "GPL-3.0-or-later";
    mainProgram = "bash";
    cpe = "cpe:2.3:a:gnu:bash:5.2.37";
  };
}
