command -v script >/dev/null || skip "no script(1)"
# What a run and a list with a failure in it send to a terminal: "moves" where escapes are in it.
on_terminal()
{
    rm -rf cache
    for command in "firn extract -m $model $small -o cache photos" "firn ls cache"; do
        env "$@" script -qec "$command" /dev/null </dev/null >../out
        if grep -q "$(printf '\033')" ../out; then
            echo "$*, ${command%% -*}: moves"
        else
            echo "$*, ${command%% -*}: plain"
        fi
    done
}
quiet samples photos 2
echo junk >photos/ring/junk.jpg
on_terminal TERM=xterm
on_terminal TERM=dumb
on_terminal -u TERM
