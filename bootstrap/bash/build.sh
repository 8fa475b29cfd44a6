# bash 5.2.37, with the allocator of the C library and without line editing. Its parser, y.tab.c, is the one that
# upstream generated.
. "$setup"
$SHELL ./configure --prefix="$out" --build=x86_64-linux-musl --without-bash-malloc --disable-readline --disable-nls
make SHELL="$SHELL" CC_FOR_BUILD="$CC" bash
mkdir -p "$out/bin"
cp bash "$out/bin"
ln -s bash "$out/bin/sh"
