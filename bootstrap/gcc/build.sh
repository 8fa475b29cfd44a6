# GCC 10.2 and GCC 14.2, C and C++. `CC`, `CXX` and `CFLAGS` are for the compiler itself, `target_flags` for its libraries; `musl` and
# `binutils` are the C library and the assembler and linker of what it compiles.
#
# Programs are static unless -shared, -static-pie, -pie or -rdynamic is asked for, and -static-pie is not the default: makefiles
# mix objects, `ld -r` and -static in ways that only work without it.
#
# Some names in C++ files have a random part. The seed is a constant unless -frandom-seed is given, so that what it compiles is
# the same in every run.
#
# configure scripts, Makefile.in and the lexer of gengtype are those that upstream generated.
# Tests, and languages and libraries that aren't built, are half of the archive: they are left out of the copy to work in.
unwanted=" gcc libstdc++-v3 testsuite ada m2 fortran libgo libphobos libsanitizer libgfortran libgrust libgm2 libgomp libffi \
contrib "
mkdir /build/source /build/source/gcc /build/source/libstdc++-v3
cd "$source"
for entry in * gcc/* libstdc++-v3/*; do
    case "$unwanted" in
        *" ${entry##*/} "*) ;;
        *) cp -rp "$entry" "/build/source/$entry" ;;
    esac
done
cd /build/source
# What makefiles and configure want to see of the tests.
mkdir gcc/testsuite libstdc++-v3/testsuite
cp -rp "$source/gcc/testsuite/selftests" gcc/testsuite
cp -p "$source/libstdc++-v3/testsuite/Makefile.in" libstdc++-v3/testsuite
for library in gmp mpfr mpc; do
    cp -rp "${!library}" $library
done
chmod -R u+w .
triple=x86_64-linux-musl
. "$tooldir"

# Scripts that are run as programs, and what such scripts are made from: sandboxes have no /bin/sh.
find . -type f \( -perm -100 -o -name '*.in' \) -exec sed -i "1s|^#! */bin/sh|#!$SHELL|" {} +
sed -i "s|#!/bin/sh|#!$SHELL|" gcc/genmultilib
# gmp's manual is left out of the archive.
mkdir -p gmp/doc
printf 'all install clean:\n' >gmp/doc/Makefile.in
# So is GCC's: nothing to compare the list of hooks with. Headers of the C library are taken as they are.
sed -i -e 's|^s-tm-texi: build/.*|s-tm-texi:\n\t$(STAMP) $@\nunused-tm-texi:|' -e 's|$(SHELL) ./fixinc.sh|true|' \
    -e 's|install-man install-info||' gcc/Makefile.in
# What a precompiled header is checked against is a sum over the compiler's object files, which hold its own path: then two
# builds that differ in nothing else would differ in more than their path. The version stands for them.
sed -i 's|\(genchecksum$(build_exeext)\) $(C[X_]*OBJS) $(BACKEND)\( $(CODYLIB)\)* $(LIBDEPS)|\1 $(srcdir)/BASE-VER|' gcc/c/Make-lang.in gcc/cp/Make-lang.in
# No libraries of the host, should there be one.
sed -i 's|define STANDARD_STARTFILE_PREFIX_\([12]\) "/.*"|define STANDARD_STARTFILE_PREFIX_\1 ""|' gcc/gcc.c*
sed -i "s|\"/lib/ld-musl-x86_64.so.1\"|\"$musl/lib/ld-musl-x86_64.so.1\"|" gcc/config/i386/linux64.h
sed -i '/^MULTILIB_OSDIRNAMES/s|m64=../lib64|m64=../lib|' gcc/config/i386/t-linux64
# In a static program weak references to threads find nothing, though threads are there: musl always has them.
sed -i 's|define GTHREAD_USE_WEAK 1|define GTHREAD_USE_WEAK 0|' libgcc/gthr.h
# g++ 3.4.6 comes to no end with this file when it optimises.
test "$(cat gcc/BASE-VER)" != 10.2.0 || echo 'i386-common.o: override CXXFLAGS += -O0' >>gcc/Makefile.in

mkdir /build/work
cd /build/work
export CXXFLAGS="$CFLAGS" CFLAGS_FOR_TARGET="$target_flags" CXXFLAGS_FOR_TARGET="$target_flags" LDFLAGS=-static
$SHELL ../source/configure --prefix="$out" --build=$triple --host=$triple --target=$triple \
    --enable-languages="$languages" --disable-bootstrap --disable-multilib --disable-shared --disable-nls --disable-lto \
    --disable-plugin --disable-libsanitizer --disable-libssp --disable-libquadmath --disable-libgomp --disable-libvtv \
    --disable-libatomic --disable-libitm --disable-libstdcxx-pch --without-isl --without-zstd --enable-checking=release --disable-gcov \
    --disable-decimal-float --disable-cet \
    --with-native-system-header-dir="$out/$triple/include" --with-local-prefix="$out" \
    --with-specs='%{!frandom-seed=*:-frandom-seed=0} %{!shared:%{!static-pie:%{!pie:%{!rdynamic:-static}}}}'
make="make SHELL=$SHELL MAKEINFO=true"
$make -j"$NIX_BUILD_CORES" all-gcc
$make -j"$NIX_BUILD_CORES" all-target-libgcc
$make -j"$NIX_BUILD_CORES" all-target-libstdc++-v3
$make install-gcc install-target-libgcc install-target-libstdc++-v3

cd "$out"
rm -rf share libexec/gcc/*/*/install-tools lib/gcc/*/*/install-tools lib/lib*.la lib/lib*.py bin/$triple-* bin/gcov*
strip bin/* libexec/gcc/*/*/*
ln -s gcc bin/cc
find . -name '*.[ao]' -exec strip --strip-debug {} +
