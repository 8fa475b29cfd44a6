# To be sourced. `measure STORE COMMAND…` runs the command, whose output goes where that of `measure` does, and sets `cpu` (user and
# system) and `wall`, in seconds, and `most`: the most megabytes that the folder STORE/builds took at a time. That is looked at a
# few times a second at first, later every few seconds, so some may be missed. Gives the command's exit code.
measure() {
    local store=$1 code=0 notes
    shift
    notes=$(mktemp -d)
    watch "$store/builds" >"$notes/most" &
    local watcher=$!
    local TIMEFORMAT='%R %U %S'
    { time "$@" 2>"$notes/errors"; } 2>"$notes/time" || code=$?
    kill "$watcher"
    wait "$watcher" 2>/dev/null || true
    cat "$notes/errors" >&2
    # shellcheck disable=SC2034
    read -r wall cpu most < <(awk 'FILENAME ~ /most$/ { most = $1; next } { printf "%.1f %.1f %d\n", $1, $2 + $3, most }' "$notes/most" "$notes/time")
    rm -r "$notes"
    return "$code"
}

# watch FOLDER: prints most megabytes of what lies in it, each time there are more, until killed.
watch() {
    local most=0 now tenths
    for ((tenths = 3; ; tenths += tenths < 50)); do
        sleep "$((tenths / 10)).$((tenths % 10))"
        now=$(du -s --block-size=1M "$1" 2>/dev/null | cut -f1) || continue
        if ((now > most)); then
            most=$now
            echo "$most"
        fi
    done
}
