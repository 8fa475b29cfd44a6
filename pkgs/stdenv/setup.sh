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

# Gives scripts of a folder another first line: `sh` and `bash` become what is given for them, other programs that are
# in PATH their own path. Of the places that such lines name, sandboxes have /bin/sh only.
patch_shebangs() {
    local file line program time
    while IFS= read -r file; do
        IFS= read -r line <"$file" || true
        [[ $line =~ ^'#!'\ *("$BASH"|(/usr)?/bin/(env\ +)?([^/ ]+))(.*)$ ]] || continue
        case ${BASH_REMATCH[4]:-bash} in
            sh) program=$2 ;;
            bash) program=$3 ;;
            *) program=$(type -P "${BASH_REMATCH[4]}") || continue ;;
        esac
        time=$(stat -c %Y "$file")
        sed -i "1s|.*|#!$program${BASH_REMATCH[5]}|" "$file"
        touch -d "@$time" "$file"
    done < <(find "$1" -type f -perm -100)
}

# A copy of the source to work in. Its files have one and the same time, so that make takes what upstream generated for up to
# date.
unpackPhase() {
    mkdir -p /build/source
    cp -r "$source/." /build/source
    chmod -R u+w /build/source
    find /build/source -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    cd "/build/source/${sourceRoot:-.}"
    patch_shebangs . /bin/sh "$BASH"
}

patchPhase() {
    if test -n "${patches:-}"; then "$patch" . $patches; fi
}

# Runs a command with the words that follow `--`, which are quoted as in a shell, after its own.
with_words() {
    local command=()
    while test "$1" != --; do command+=("$1"); shift; done
    shift
    eval "command+=($*)"
    "${command[@]}"
}

configurePhase() {
    if ! test -f "${configureScript:=./configure}"; then return; fi
    local libraries=--disable-shared
    if test -n "${shared:-}"; then libraries=--enable-shared; fi
    with_words $SHELL "$configureScript" --prefix="$prefix" --build="$build" --host="$host" $libraries -- "${configureFlags:-}"
}

run_make() { with_words make SHELL="$SHELL" "$1" -- "${makeFlags:-} $2"; }

buildPhase() { run_make -j"$NIX_BUILD_CORES" "${buildFlags:-}"; }

checkPhase() {
    if test -n "${doCheck:-}"; then run_make -j"$NIX_BUILD_CORES" "${checkFlags:-check}"; fi
}

installPhase() { run_make -j1 "${installTargets:-install} ${installFlags:-}"; }

# What only those need who compile with the package.
move_development() {
    local part
    mkdir -p "$dev/lib" "$dev/share"
    for part in "$out"/include "$out"/lib/{pkgconfig,cmake,*.a,*.o} "$out/share/aclocal"; do
        test -e "$part" || continue
        mv "$part" "$dev/${part#"$out"/}"
    done
    find "$dev"/lib/{pkgconfig,cmake} -type f -exec sed -i "s|$out|$dev|g" {} + 2>/dev/null || true
    rmdir "$out/lib" "$dev/share" 2>/dev/null || true
}

# Makes mentions of other store paths in texts point nowhere, for those that say how something was built and no more.
remove_references() {
    local file
    for file; do
        sed -i -E -e "s|$out|@own path@|g" -e "s|/sx/store/[0-9a-z]{52}-|/sx/store/0000000000000000000000000000000000000000000000000000-|g" \
            -e "s|@own path@|$out|g" "$file"
    done
}

# Takes away what outputs needn't have: manuals in formats that nothing here reads, libtool's notes, symbols.
fixupPhase() {
    local output folder
    if test -n "${dev:-}"; then move_development; fi
    for output in $outputs; do
        folder=${!output}
        if ! test -e "$folder"; then
            printf 'error: installPhase made nothing at %s, the output `%s`\n' "$folder" "$output"
            return 1
        fi
        test -d "$folder" || continue
        rm -rf "$folder"/share/{info,doc,locale} "$folder"/lib/*.la
        test -n "${keepManuals:-}" || rm -rf "$folder/share/man"
        rmdir "$folder/share" 2>/dev/null || true
        if test -z "${dontStrip:-}"; then strip_output "$folder"; fi
        patch_shebangs "$folder" "$runtimeShell" "$runtimeShell"
    done
}

# Programs lose all symbols, archives those for debuggers.
strip_output() {
    find "$1" -type f -name '*.a' -exec "${STRIP:-strip}" --strip-debug --enable-deterministic-archives {} +
    find "$1" -type f \( -perm -100 -o -name '*.so*' \) | while read -r file; do
        if test "$(head -c 4 "$file" | tail -c 3)" = ELF; then "${STRIP:-strip}" "$file"; fi
    done
}

prefix=${prefix:-$out}
# -rdynamic is what makes the compiler link with shared libraries at all; programs find them where these folders are.
if test -n "${shared:-}"; then
    export LDFLAGS="${LDFLAGS:-} -rdynamic -Wl,-rpath,$prefix/lib${libraryFolders:+:$libraryFolders}"
fi
for phase in ${phases:-unpackPhase patchPhase configurePhase buildPhase checkPhase installPhase fixupPhase}; do
    run_phase "$phase"
done
