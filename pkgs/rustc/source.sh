# The compiler's crates as a workspace of their own.
mkdir /build/package "$out"
cd /build/package
top=./usr/src/rustc-$version
ar p "$source" data.tar.xz | unxz -c |
    tar -x "$top/compiler" "$top/Cargo.toml" "$top/library/proc_macro" "$top/src/version"
cp -R "usr/src/rustc-$version/." "$out"
cd "$out"
sed -i '/^members = \[$/,/^\]$/c members = ["compiler/rustc"]' Cargo.toml
# A library of its own that the program loads, for others to share: here it's one program.
sed -i 's/^crate-type = \["dylib"\]$/crate-type = ["rlib"]/' compiler/rustc_driver/Cargo.toml
printf '%s\n' '[[bin]]' 'name = "rustc"' 'path = "src/main.rs"' >>compiler/rustc/Cargo.toml
