# binutils 2.40: as, ld, ar and the others, for the compilers from here on. Parsers and lexers are those that upstream
# generated.
. "$setup"
if test "$CC" = tcc; then
    # `tcc -ar` makes archives with an index, but neither lists nor unpacks them; busybox's ar does.
    mkdir /build/bin
    cat >/build/bin/ar <<END
#!$SHELL
case "\$1" in
    *[tx]*) exec busybox ar "\$@" ;;
    *) exec tcc -ar "\$@" ;;
esac
END
    chmod +x /build/bin/ar
    export AR=/build/bin/ar
    # What libtool measures here is too small, and it would make archives in pieces, which tcc -ar cannot add to.
    export lt_cv_sys_max_cmd_len=100000
else
    # The linker knows no folders of a host.
    options=--with-lib-path="$out/lib"
fi

mkdir /build/work
cd /build/work
triple=x86_64-unknown-linux-musl
# It is run as a program, and sandboxes have no /bin/sh.
sed -i "1s|^#!.*|#!$SHELL|" ../source/install-sh
# Sections of debugging information stay uncompressed, so that no store path hides in them from the search for references.
$SHELL ../source/configure --prefix="$out" --build=$triple --host=$triple --target=$triple \
    --disable-nls --disable-shared --disable-gdb --disable-gdbserver --disable-sim --disable-gprofng --disable-gprof \
    --disable-plugins --disable-werror --disable-readline --disable-libctf --disable-gold \
    --enable-deterministic-archives --enable-compressed-debug-sections=none --disable-dependency-tracking $options
make SHELL="$SHELL" MAKEINFO=true -j"$NIX_BUILD_CORES" all-binutils all-gas all-ld
make SHELL="$SHELL" MAKEINFO=true install-binutils install-gas install-ld
# The same programs once more, libraries and their headers.
rm -rf "$out/share" "${out:?}/$triple" "$out/lib" "$out/include"
test "$CC" = tcc || strip "$out"/bin/*
