# mawk 1.3.4. GCC's option tables are made with it: busybox's awk makes wrong ones, and says nothing.
. "$setup"
$SHELL ./configure --prefix="$out" --build=x86_64-linux-musl --disable-echo
make SHELL="$SHELL" mawk
mkdir -p "$out/bin"
cp mawk "$out/bin"
ln -s mawk "$out/bin/awk"
