# GNU m4 1.4.19; gmp's configure wants it.
. "$setup"
# Its own install-sh, which would make folders, begins with #!/bin/sh.
MKDIR_P="mkdir -p" $SHELL ./configure --prefix="$out" --build=x86_64-linux-musl --disable-dependency-tracking
make SHELL="$SHELL" -C lib
make SHELL="$SHELL" -C src
mkdir -p "$out/bin"
cp src/m4 "$out/bin"
