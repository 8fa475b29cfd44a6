# GNU grep 3.11.
. "$setup"
$SHELL ./configure --prefix="$out" --build=x86_64-linux-musl --disable-nls --disable-dependency-tracking --disable-perl-regexp
make SHELL="$SHELL" -C lib
make SHELL="$SHELL" -C src
mkdir -p "$out/bin"
cp src/grep "$out/bin"
