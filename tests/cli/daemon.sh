# What the daemon says, and to whom.
XDG_RUNTIME_DIR=$PWD
export XDG_RUNTIME_DIR

is_idle()
{
    firn status cache 2>/dev/null | grep -q idle
}

quiet samples one 1
rm -r one/circle one/square one/triangle
# shellcheck disable=SC2086 # options
firn watch -B -m $model $small -o cache one 2>log
wait_for is_idle
# No heading without errors.
firn status cache | sed -n 's/  *[0-9.]* s busy//; /since then/p; /^last errors/,$p'
firn stop cache
wait_for grep -q stopped log # the answer comes before the last word
tail -n 1 log

# A link in the place of the unfinished file of metrics, where others may write, is not followed.
echo mine >victim
# shellcheck disable=SC2016,SC2086 # $$ is of the process that becomes firn; options
sh -c 'ln -s victim metrics.tmp.$$; exec "$@"' sh \
    firn watch -q -m $model $small --metrics-file metrics -o cache one &
wait_for is_idle
wait_for test -s metrics
cat victim
tail -n 1 metrics
firn stop cache
