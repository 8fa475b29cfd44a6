# libunwind.a, which programs with Rust's standard library are linked with. Upstream takes LLVM's, in C++; this one is
# the unwinder in Rust that the standard library itself uses where the system has none, with the names that every unwinder
# has and no others.
mkdir /build/package
cd /build/package
vendor="usr/src/rustc-$version/library/vendor"
ar p "$source" data.tar.xz | unxz -c | tar -x "./$vendor"

mkdir /build/unwind
cd /build/unwind
flags="--target x86_64-unknown-linux-musl --sysroot $std -Cpanic=abort -Copt-level=3 -Ccodegen-units=1 -Cembed-bitcode=no \
    -L /build/unwind --remap-path-prefix=/build/package/usr/src/rustc-$version=/rustc/$version --cap-lints allow"
rustc $flags --edition 2021 --crate-type rlib --crate-name libc "$libc"
rustc $flags --edition 2018 --crate-type rlib --crate-name gimli --cfg 'feature="read-core"' \
    "/build/package/$vendor"/gimli-0.*/src/lib.rs
rustc $flags --edition 2024 --crate-type rlib --crate-name unwinding \
    --cfg 'feature="unwinder"' --cfg 'feature="dwarf-expr"' --cfg 'feature="hide-trace"' \
    --cfg 'feature="libc"' --cfg 'feature="fde-phdr"' --cfg 'feature="fde-phdr-dl"' \
    --extern gimli=libgimli.rlib --extern libc=liblibc.rlib "/build/package/$vendor"/unwinding-0.*/src/lib.rs
rustc $flags --edition 2021 --crate-type staticlib --crate-name unwind --extern unwinding=libunwinding.rlib "$unwind"
names=$(nm --defined-only libunwind.a | sed -n 's/^[0-9a-f]* T \(_Unwind_[A-Za-z]*\)$/\1/p' | sort)
ld -r --gc-sections $(for name in $names; do echo "-u $name"; done) -o unwind.o libunwind.a
objcopy --strip-debug $(for name in $names; do echo "--keep-global-symbol=$name"; done) unwind.o
rm libunwind.a
mkdir -p "$out/lib"
ar rcD "$out/lib/libunwind.a" unwind.o
