# GCC 14's Go: its compiler, its library and its `go`, all of Go 1.18 but generics. What it is for is to build Go's own compiler.
#
# The front end is another one beside those for C and C++, but it can only be built together with all that stands behind a front
# end: GCC anew, by GCC. What is done to the source is explained in gcc/build.sh.
unwanted=" gcc libstdc++-v3 testsuite ada m2 fortran libphobos libsanitizer libgfortran libgrust libgm2 libgomp contrib "
mkdir /build/source /build/source/gcc
cd "$source"
for entry in * gcc/*; do
    case "$unwanted" in
        *" ${entry##*/} "*) ;;
        *) cp -rp "$entry" "/build/source/$entry" ;;
    esac
done
cd /build/source
mkdir gcc/testsuite
cp -rp "$source/gcc/testsuite/selftests" gcc/testsuite
for library in gmp mpfr mpc; do
    cp -rp "${!library}" $library
done
chmod -R u+w .
triple=x86_64-linux-musl
. "$tooldir"

find . -type f \( -perm -100 -o -name '*.in' \) -exec sed -i "1s|^#! */bin/sh|#!$SHELL|" {} +
sed -i "s|#!/bin/sh|#!$SHELL|" gcc/genmultilib
mkdir -p gmp/doc
printf 'all install clean:\n' >gmp/doc/Makefile.in
sed -i -e 's|^s-tm-texi: build/.*|s-tm-texi:\n\t$(STAMP) $@\nunused-tm-texi:|' -e 's|$(SHELL) ./fixinc.sh|true|' \
    -e 's|install-man install-info||' gcc/Makefile.in
sed -i 's|define STANDARD_STARTFILE_PREFIX_\([12]\) "/.*"|define STANDARD_STARTFILE_PREFIX_\1 ""|' gcc/gcc.cc
sed -i '/^MULTILIB_OSDIRNAMES/s|m64=../lib64|m64=../lib|' gcc/config/i386/t-linux64
sed -i 's|define GTHREAD_USE_WEAK 1|define GTHREAD_USE_WEAK 0|' libgcc/gthr.h

# What libgo takes for given of the C library and musl has not: other names for calls with large files, types of the kernel's
# interface, and getcontext. It switches stacks by code of its own, so what configure would try of getcontext says nothing.
cp "$linux" libgo/linux.h
sed -i 's|#include <grp.h>|&\n#include "linux.h"|' libgo/sysinfo.c
sed -i 's|-D_LARGEFILE_SOURCE |-D_LARGEFILE64_SOURCE &|' libgo/configure
find libgo/go/syscall libgo/go/os libgo/go/internal/syscall -name '*.go' \
    -exec sed -i -E 's%^//(extern )?([a-z_]+)64(\(|$)%//\1\2\3%' {} +
export libgo_cv_lib_setcontext_clobbers_tls=no

mkdir /build/work
cd /build/work
# A folder that libtool looks into; the library that would be there isn't needed on this machine.
mkdir -p $triple/libatomic/.libs
export CXXFLAGS="$CFLAGS" CFLAGS_FOR_TARGET="-O1" GOCFLAGS_FOR_TARGET="-O1" LDFLAGS=-static
$SHELL ../source/configure --prefix="$out" --build=$triple --host=$triple --target=$triple \
    --enable-languages=c,go --disable-bootstrap --disable-multilib --disable-shared --disable-nls --disable-lto \
    --disable-plugin --disable-libssp --disable-libquadmath --disable-libvtv --disable-libatomic --disable-libitm \
    --without-libatomic --without-isl --without-zstd --enable-checking=release --disable-gcov --disable-decimal-float --disable-cet \
    --with-native-system-header-dir="$out/$triple/include" --with-local-prefix="$out" \
    --with-specs='%{!frandom-seed=*:-frandom-seed=0} %{!shared:%{!static-pie:%{!pie:%{!rdynamic:-static}}}}'
make="make SHELL=$SHELL MAKEINFO=true"
$make -j"$NIX_BUILD_CORES" all-gcc
$make -j"$NIX_BUILD_CORES" all-target-libgcc
$make -j"$NIX_BUILD_CORES" all-target-libgo
$make -j"$NIX_BUILD_CORES" all-gotools
$make install-gcc install-target-libgcc install-target-libgo install-gotools

cd "$out"
rm -rf share libexec/gcc/*/*/install-tools lib/gcc/*/*/install-tools lib/lib*.la bin/$triple-* bin/gcov*
strip bin/* libexec/gcc/*/*/*
find . -name '*.[ao]' -exec strip --strip-debug {} +
