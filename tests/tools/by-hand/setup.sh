buildPhase() {
    mkdir "$out"
    cat "$source/program" >"$out/word"
}

checkPhase() {
    eval "${preCheck:-}"
    test -s "$out/word"
    echo checked
}

for phase in ${phases:-buildPhase checkPhase}; do
    $phase
done
