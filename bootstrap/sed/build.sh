# GNU sed 4.9.
. "$setup"
$SHELL ./configure --prefix="$out" --build=x86_64-linux-musl --disable-nls --disable-acl --disable-dependency-tracking
make SHELL="$SHELL" sed/sed
mkdir -p "$out/bin"
cp sed/sed "$out/bin"
