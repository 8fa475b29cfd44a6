# A sysroot of links to the standard library and musl, and scripts that make rustc and cargo take it.
# `source` is the standard library.
target=x86_64-unknown-linux-musl
lib="$out/lib/rustlib/$target/lib"
mkdir -p "$out/bin" "$out/libexec" "$lib/self-contained"
if [ $host = $target ]; then
    # Procedural macros are linked with these two, programs with what lies in self-contained.
    ln -s "$libc/lib/libc.so" "$lib"
    echo "INPUT($unwind/lib/libunwind.a)" >"$lib/libgcc_s.so"
    linked='*'
else
    ln -s "$rustc/lib/rustlib/$host" "$out/lib/rustlib"
    linked="*\" --target $target \"* | *\" --target=$target \"*"
fi
ln -s "$source/lib/rustlib/$target/lib"/*.rlib "$lib"
# All that a program is linked with beside crates. rustc looks for it here and nowhere else.
cd "$lib/self-contained"
ln -s "$unwind/lib/libunwind.a" .
for file in libc.a crt1.o rcrt1.o Scrt1.o crti.o crtn.o; do
    ln -s "$musl/lib/$file" .
done
as -o crtbegin.o --defsym BEGIN=1 "$objects"
as -o crtend.o "$objects"
ln -s crtbegin.o crtbeginS.o
ln -s crtend.o crtendS.o

# A script: $1 is its name, the rest its text.
script() {
    name=$1
    shift
    printf '%s\n' "#!$busybox/bin/sh" "$@" >"$name"
    chmod +x "$name"
}

# As cargo calls it: without --target it is for the compiler's own platform.
for program in $programs; do
    script "$out/libexec/$program" \
        'case " $* " in' \
        '*" --sysroot"*) ;;' \
        "*) set -- --sysroot $out \"\$@\" ;;" \
        'esac' \
        'case " $* " in' \
        "$linked)" \
        "    set -- -Clinker=$binutils/bin/ld -Clinker-flavor=ld \"\$@\" ;;" \
        'esac' \
        "exec $rustc/bin/$program \"\$@\""
    # As people do.
    script "$out/bin/$program" \
        'case " $* " in' \
        '*" --target "* | *" --target="*) ;;' \
        "*) set -- --target $target \"\$@\" ;;" \
        'esac' \
        "exec $out/libexec/$program \"\$@\""
done
script "$out/bin/cargo" \
    "export CARGO=$out/bin/cargo RUSTC=\${RUSTC-$out/libexec/rustc} RUSTDOC=\${RUSTDOC-$out/libexec/rustdoc}" \
    "export CARGO_BUILD_TARGET=\${CARGO_BUILD_TARGET-$target}" \
    "exec $cargo/bin/cargo \"\$@\""
