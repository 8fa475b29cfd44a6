# Builds a package of cargo's, see build-rust-package.nix.
mkdir /build/source /build/crates /build/cargo
if [ -d "$source" ]; then
    cp -R "$source/." /build/source
else
    tar -xzf "$source" -C /build/source
    # The one folder in it.
    mv /build/source/*/* /build/source/*/.[!.]* /build/source 2>/dev/null || true
fi
chmod -R u+w /build/source
cd /build/source
for patch in $patches; do
    patch -p1 <"$patch"
done
cp "$cargoLock" Cargo.lock

# A folder for each crate, as `cargo vendor` makes them. Their files were checked as one: the archive.
echo "$crates" | while read -r crate checksum archive; do
    tar -xzf "$archive" -C /build/crates
    echo "{\"files\":{},\"package\":\"$checksum\"}" >"/build/crates/$crate/.cargo-checksum.json"
done
export HOME=/build CARGO_HOME=/build/cargo CARGO_TARGET_DIR=/build/target
cat >"$CARGO_HOME/config.toml" <<END
[source.crates-io]
replace-with = "vendored"
[source.vendored]
directory = "/build/crates"
[net]
offline = true
[profile.release]
codegen-units = 1
strip = "symbols"
END
# What messages say about where a line stands; no path of this build is left.
export RUSTFLAGS="--remap-path-prefix=/build/source=/$name --remap-path-prefix=/build/crates=/crates $RUSTFLAGS"

cargo build --release --frozen -j "$NIX_BUILD_CORES" $cargoFlags
if [ -n "$check" ]; then
    cargo test --release --frozen -j "$NIX_BUILD_CORES" $cargoFlags -- $checkFlags
fi

mkdir -p "$out/bin"
for file in /build/target/x86_64-unknown-linux-musl/release/*; do
    if [ -f "$file" ] && [ -x "$file" ]; then
        cp "$file" "$out/bin"
    fi
done
