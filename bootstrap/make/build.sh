# GNU make 4.4.1, by its own script for systems without make. Debian's archive lacks doc/, which configure names.
. "$setup"
mkdir -p doc
: >doc/Makefile.in
$SHELL ./configure --prefix="$out" --build=x86_64-linux-musl --disable-nls --without-guile --disable-dependency-tracking
$SHELL ./build.sh
mkdir -p "$out/bin"
cp make "$out/bin"
