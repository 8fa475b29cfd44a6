# GCC 3.4.6, the last kept by Debian that is written in C alone. `languages` are what it is to compile; `musl` and `binutils` are the C
# library and the assembler and linker of what it compiles. Parsers (c-parse.c, gengtype-lex.c and others) are those that
# upstream generated.
. "$setup"
triple=x86_64-unknown-linux-gnu
. "$tooldir"
$patch . $patches

# Headers of the C library are taken as they are; the step that mends them would be run as a program of #!/bin/sh.
sed -i -e 's|^STMP_FIXINC = .*|STMP_FIXINC =|' \
    -e "s|^NATIVE_SYSTEM_HEADER_DIR = .*|NATIVE_SYSTEM_HEADER_DIR = $out/$triple/include|" \
    -e 's|install-man install-info||' \
    -e 's|^doc: .*|doc:|' -e '/INSTALL_SCRIPT) gccbug/d' gcc/Makefile.in
# Makefiles that are called without the variables of the one above.
sed -i 's|MAKEOVERRIDES= |SHELL=$(SHELL) &|' gcc/Makefile.in
# It writes scripts and runs them, and sandboxes have no /bin/sh.
sed -i "s|^#!/bin/sh|#!$SHELL|" gcc/genmultilib
# Unwinding through signal handlers, which needs glibc's names of registers.
sed -i 's|^#define MD_FALLBACK_FRAME_STATE_FOR|#define UNUSED_FALLBACK_FRAME_STATE_FOR|' gcc/config/i386/linux64.h
# The C library is not glibc.
sed -i 's|os_include_dir="os/gnu-linux"|os_include_dir="os/generic"|' libstdc++-v3/configure.host
# A library that becomes part of another one is unpacked for that, and its members come in the folder's order, which is the file system's.
sed -i 's/-print | \$NL2SP/-print | sort | $NL2SP/' ltmain.sh
# Its tests are neither built nor run.
sed -i '/^ *SUBDIRS *=/s| testsuite||' libstdc++-v3/Makefile.in libstdc++-v3/configure

mkdir /build/work
cd /build/work
$SHELL ../source/configure --prefix="$out" --build=$triple --host=$triple --target=$triple \
    --enable-languages="$languages" --with-gnu-as --with-gnu-ld \
    --disable-nls --disable-shared --disable-multilib --disable-checking --disable-threads \
    --disable-libstdcxx-pch --enable-clocale=generic --disable-libunwind-exceptions
mkdir -p gcc/include
cp ../source/gcc/gsyslimits.h gcc/include/syslimits.h
make="make SHELL=$SHELL CFLAGS=$CFLAGS CXXFLAGS=-O2 LDFLAGS=-static LIBGCC2_DEBUG_CFLAGS= MAKEINFO=true"
$make -j"$NIX_BUILD_CORES" all-gcc
$make -C gcc install
case $languages in
    *c++*)
        $make configure-target-libstdc++-v3
        $make -j"$NIX_BUILD_CORES" -C $triple/libstdc++-v3
        $make -C $triple/libstdc++-v3 install
        ;;
esac

cd "$out"
rm -rf info man libexec/gcc/*/*/install-tools lib/gcc/*/*/install-tools lib*/*.la bin/gcov
strip bin/* libexec/gcc/*/*/*
find . -name '*.[ao]' -exec strip --strip-debug {} +
