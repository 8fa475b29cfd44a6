# musl 1.2.5 in its own way, by GCC. `patches` are for compilers that cannot read it as it is; `shared` is
# --enable-shared where a dynamic library is wanted beside the static one.
. "$setup"
test -z "$patches" || $patch . $patches
# Run as programs, and sandboxes have no /bin/sh.
sed -i "1s|^#!.*|#!$SHELL|" tools/install.sh
$SHELL ./configure --prefix="$out" --syslibdir="$out/lib" --disable-wrapper $shared
make SHELL="$SHELL" -j"$NIX_BUILD_CORES"
make SHELL="$SHELL" install
