# To be sourced. `measure STORE COMMAND…` runs the command, whose output goes where that of `measure` does, and sets `cpu` (user and
# system) and `wall`, in seconds, and `most`: the most megabytes that its folders in STORE/builds, which bear its process's number, took at
# a time. They are looked at a few times a second at first, later every few seconds, so some may be missed. Gives its exit code.
measure() {
    local store=$1 code=0 notes
    shift
    notes=$(mktemp -d)
    watch "$store/builds" "$notes/process" >"$notes/most" &
    local watcher=$!
    local TIMEFORMAT='%R %U %S'
    {
        time {
            "$@" 2>"$notes/errors" &
            echo $! >"$notes/process"
            wait $! || code=$?
        }
    } 2>"$notes/time"
    kill "$watcher"
    wait "$watcher" 2>/dev/null || true
    cat "$notes/errors" >&2
    # shellcheck disable=SC2034
    read -r wall cpu most < <(awk 'FILENAME ~ /most$/ { most = $1; next } { printf "%.1f %.1f %d\n", $1, $2 + $3, most }' "$notes/most" "$notes/time")
    rm -r "$notes"
    return "$code"
}

# watch FOLDER FILE: prints most megabytes of what lies in the folder and bears the number in the file, when there are more, until killed.
watch() {
    local most=0 now tenths
    for ((tenths = 3; ; tenths += tenths < 50)); do
        sleep "$((tenths / 10)).$((tenths % 10))"
        now=$(du -sc --block-size=1M "$1/$(cat "$2")"-* 2>/dev/null | tail -n 1 | cut -f1) || true
        if ((now > most)); then
            most=$now
            echo "$most"
        fi
    done
}
