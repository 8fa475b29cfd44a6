# The phases of a build, in the order in which they run. A package replaces one by a variable of its name, and adds to it by
# its hooks: preBuild and postBuild stand around buildPhase. default.nix says what a package can give.
set -o pipefail
shopt -s nullglob

# Runs the hook, if the package has one.
hook() { eval "${!1:-}"; }

# Runs a phase: the package's own text, else the function of that name; with its hooks; or not, where dontX is set.
run_phase() {
    local name=${1%Phase}
    local capital=${name^} skip=dont${name^}
    if test -n "${!skip:-}"; then return; fi
    printf 'phase: %s\n' "$name"
    hook "pre$capital"
    if test -n "${!1:-}"; then eval "${!1}"; else "$1"; fi
    hook "post$capital"
}

# Begins programs of a folder with this shell, where they ask for /bin/sh, /bin/bash or env: sandboxes have none of these.
patch_shebangs() {
    find "$1" -type f -perm -100 -exec grep -lE '^#! */(usr/)?bin/(env )?(ba)?sh' {} + | while read -r file; do
        local time
        time=$(stat -c %Y "$file")
        sed -i -E "1s,^#! */(usr/)?bin/(env )?(ba)?sh,#!$2," "$file"
        touch -d "@$time" "$file"
    done || true
}

# A copy of the source to work in. Its files keep their times, so that make takes what upstream generated for up to date.
unpackPhase() {
    mkdir -p /build/source
    cp -rp "$source/." /build/source
    chmod -R u+w /build/source
    cd "/build/source/${sourceRoot:-.}"
    patch_shebangs . "$SHELL"
}

patchPhase() {
    if test -n "${patches:-}"; then "$patch" . $patches; fi
}

configurePhase() {
    if ! test -f "${configureScript:=./configure}"; then return; fi
    $SHELL "$configureScript" --prefix="$prefix" --build="$build" --host="$host" $configureFlags
}

buildPhase() {
    make -j"$NIX_BUILD_CORES" SHELL="$SHELL" $makeFlags $buildFlags
}

checkPhase() {
    if test -n "${doCheck:-}"; then make -j"$NIX_BUILD_CORES" SHELL="$SHELL" $makeFlags ${checkFlags:-check}; fi
}

installPhase() {
    make SHELL="$SHELL" $makeFlags ${installTargets:-install} $installFlags
}

# What outputs needn't have: manuals in formats that nothing here reads, libtool's notes, symbols; and what they must not
# have: references to what they were built with.
fixupPhase() {
    local output folder
    for output in $outputs; do
        folder=${!output}
        test -e "$folder" || continue
        rm -rf "$folder"/share/{info,doc,locale} "$folder"/lib/*.la
        test -n "${keepManuals:-}" || rm -rf "$folder/share/man"
        rmdir "$folder/share" 2>/dev/null || true
        if test -z "${dontStrip:-}"; then strip_output "$folder"; fi
        patch_shebangs "$folder" "$runtimeShell"
        find "$folder" -type f -perm -100 -exec sed -i "1s|^#! *$SHELL|#!$runtimeShell|" {} +
        check_references "$folder"
    done
}

# Programs lose all symbols, archives those for debuggers.
strip_output() {
    find "$1" -type f -name '*.a' -exec strip --strip-debug --enable-deterministic-archives {} +
    find "$1" -type f -perm -100 | while read -r file; do
        if test "$(head -c 4 "$file" | tail -c 3)" = ELF; then strip "$file"; fi
    done
}

check_references() {
    local path found=
    for path in $forbiddenReferences; do
        local files
        files=$(grep -rlaF -- "${path:0:63}" "$1" | head -n 3) || true
        if test -n "$files"; then
            printf 'error: %s refers to %s, which it was built with:\n%s\n' "$1" "$path" "$files"
            found=1
        fi
    done
    if test -n "$found"; then
        echo 'hint: leave the reference out, or name the package in allowedReferences if it is needed to run'
        return 1
    fi
}

prefix=${prefix:-$out}
for phase in ${phases:-unpackPhase patchPhase configurePhase buildPhase checkPhase installPhase fixupPhase}; do
    run_phase "$phase"
done
