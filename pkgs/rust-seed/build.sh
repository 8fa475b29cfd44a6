# Unpacks Debian's packages and makes what starts their programs here. `source` is the list of packages.
mkdir /build/packages "$out" "$out/bin" "$out/lib" "$out/lib/host" "$out/libexec"
cd /build/packages
for package in $source; do
    ar p "$package" data.tar.xz | unxz -c | tar -x
done

libraries=usr/lib/x86_64-linux-gnu
cp $libraries/ld-linux-x86-64.so.2 $libraries/libc.so.6 $libraries/libm.so.6 $libraries/libgcc_s.so.1 \
    $libraries/libLLVM.so.22.1 $libraries/librustc_driver-*.so "$out/lib"
cp $libraries/libstdc++.so.6.* "$out/lib/libstdc++.so.6"
# The compiler finds its libraries by its own place: rustlib beside librustc_driver.
cp -R usr/lib/rustlib "$out/lib"
rm -r "$out/lib/rustlib/etc"
cp usr/bin/rustc usr/bin/cargo usr/bin/rustdoc "$out/libexec"

. "$standIns"

# What programs for x86_64-unknown-linux-gnu are linked with. The C library is one file since glibc 2.34: what was
# split off it before is in it, and rustc still names it.
ln -s ../libc.so.6 "$out/lib/host/libc.so"
ln -s ../libm.so.6 "$out/lib/host/libm.so"
ln -s ../libgcc_s.so.1 "$out/lib/host/libgcc_s.so"
for name in dl pthread rt util; do
    ar rc "$out/lib/host/lib$name.a"
done
as -o "$out/lib/host/start-program.o" --defsym PROGRAM=1 "$start"
as -o "$out/lib/host/start-library.o" "$start"

# A script: $1 is its name, the rest its text.
script() {
    name=$1
    shift
    printf '%s\n' "#!$busybox/bin/sh" "$@" >"$name"
    chmod +x "$name"
}

{
    echo "#!$busybox/bin/sh"
    echo "ld=$binutils/bin/ld host=$out/lib/host lib=$out/lib"
    cat "$linker"
} >"$out/libexec/ld"
chmod +x "$out/libexec/ld"

load="exec $out/lib/ld-linux-x86-64.so.2 --library-path $out/lib --argv0"
# The linker is told for the seed's own platform alone; for another the caller names his, which comes later and wins.
script "$out/bin/rustc" \
    'case " $* " in' \
    '*" --target "* | *" --target="*) ;;' \
    "*) set -- -Clinker=$out/libexec/ld -Clinker-flavor=ld \"\$@\" ;;" \
    'esac' \
    "$load rustc $out/libexec/rustc \"\$@\""
script "$out/bin/rustdoc" "$load rustdoc $out/libexec/rustdoc \"\$@\""
# cargo tells build scripts where it lies, which it would take for the loader's place.
script "$out/bin/cargo" \
    "export CARGO=\${CARGO-$out/bin/cargo} RUSTC=\${RUSTC-$out/bin/rustc} RUSTDOC=\${RUSTDOC-$out/bin/rustdoc}" \
    "$load cargo $out/libexec/cargo \"\$@\""
