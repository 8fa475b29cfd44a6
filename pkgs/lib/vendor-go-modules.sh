# The folder `vendor` of a Go program, see build-go-package.nix: sources of modules without their tests, and modules.txt,
# which says of every package from which module it comes.
mkdir "$out"
cd "$out"
echo "$modules" | while read -r path version source; do
    mkdir -p "$path"
    cp -R "$source/." "$path"
    chmod -R u+w "$path"
    # Modules inside the module are others. What is left without Go's own language has no package.
    find "$path" -mindepth 2 -name go.mod | while read -r nested; do rm -rf "${nested%/go.mod}"; done
    find "$path" -depth \( -name testdata -o -name '.*' -o -name '_*' -o -name debian \) -exec rm -rf {} +
    find "$path" -name '*_test.go' -exec rm {} +
    language=$(sed -n 's/^go  *\([0-9.]*\).*/\1/p' "$path/go.mod" 2>/dev/null || true)
    echo "# $path $version"
    echo "## explicit${language:+; go $language}"
    find "$path" -name '*.go' | sed 's|/[^/]*$||' | sort -u
done >modules.txt
find . -type f -exec chmod 644 {} +
