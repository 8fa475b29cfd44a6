# The standard library as upstream distributes it: the profile `dist` of its own workspace, with the crates that lie in
# it, no network. What differs is said at its place.
mkdir /build/package
cd /build/package
ar p "$source" data.tar.xz | unxz -c | tar -x "./usr/src/rustc-$version/library"
mv "usr/src/rustc-$version/library" /build/library
cd /build/library

target=x86_64-unknown-linux-musl
export HOME=/build CARGO_HOME=/build/cargo RUSTC_BOOTSTRAP=1
mkdir -p "$CARGO_HOME"
cat >"$CARGO_HOME/config.toml" <<END
[source.crates-io]
replace-with = "vendor"
[source.vendor]
directory = "/build/library/vendor"
END

# Left out of Debian's source: crates for the library's tests, and for parts of it in C that no Linux target takes.
sed -i '/"coretests"/d; /"alloctests"/d' Cargo.toml
sed -i '/^\[dev-dependencies\]$/,/^$/d' std/Cargo.toml backtrace/Cargo.toml
sed -i '/^cc = /d; s/^c = \["dep:cc"\]/c = []/' compiler-builtins/compiler-builtins/Cargo.toml
sed -i '/^profiler/d' sysroot/Cargo.toml

# No lines of the library in backtraces: half of its size, in each program that isn't stripped.
export CARGO_PROFILE_DIST_DEBUG=0
# Paths in messages are those of every rustc. The crates inside are nobody else's to use.
export RUSTFLAGS="--remap-path-prefix=/build/library=/rustc/$version/library -Zforce-unstable-if-unmarked"
# Part of each symbol's name, so that it doesn't depend on where this was built.
export __CARGO_DEFAULT_LIB_METADATA=sx
if [ -n "$compiler" ]; then
    printf '%s\n' "#!$busybox/bin/sh" 'case " $* " in' "*' --target '*) exec $compiler/bin/rustc \"\$@\" ;;" 'esac' \
        'exec rustc "$@"' >/build/rustc
    chmod +x /build/rustc
    export RUSTC=/build/rustc
fi
cargo build --manifest-path sysroot/Cargo.toml --target $target --profile dist --features backtrace \
    --offline -j "$NIX_BUILD_CORES"

lib="$out/lib/rustlib/$target/lib"
mkdir -p "$lib"
cp target/$target/dist/deps/*.rlib "$lib"
