# step TITLE COMMAND...: runs a command under a headline and notes its time and outcome.
# skip TITLE REASON: notes what was not done. summary: prints them all; fails if a step failed.

TIMEFORMAT='    %R s (%U s of user time, %S s of system time)'
steps=()
failed=0

step() {
    local title=$1 start=$SECONDS outcome=ok
    shift
    printf '\n==> %s\n' "$title"
    if ! time "$@"; then
        outcome=FAILED
        failed=$((failed + 1))
        printf '==> FAILED: %s\n' "$title"
    fi
    steps+=("$(printf '%-7s %5d s  %s' "$outcome" $((SECONDS - start)) "$title")")
}

skip() {
    printf '\n==> Skipped: %s: %s\n' "$1" "$2"
    steps+=("$(printf '%-7s %5s    %s: %s' skipped "" "$1" "$2")")
}

summary() {
    printf '\n==> Summary, %d s\n' "$SECONDS"
    printf '%s\n' "${steps[@]}"
    [[ $failed -eq 0 ]]
}
