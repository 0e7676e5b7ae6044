has_four()
{
    [ "$(firn ls "$1" 2>/dev/null | grep -c done)" = 4 ]
}

scratch()
{
    find "$TMPDIR" -mindepth 1 -maxdepth 1 -name 'firn-*'
}

has_scratch()
{
    [ -n "$(scratch)" ]
}

# A run is told to stop while it waits for more of its list: what is done is kept.
quiet samples photos 2
mkfifo list
firn extract -m $model $small -o cache --files-from list 2>../log &
pid=$!
exec 9>list
find photos -name '*-01.jpg' | LC_ALL=C sort >&9
wait_for has_four cache
kill -TERM $pid
sleep 2
exec 9>&-
wait $pid
echo "exit $?"
cat ../log
try firn extract -m $model $small -o cache photos
try firn verify -q cache
# What nohup makes ignored stays ignored: the terminal may go away.
mkfifo later
# shellcheck disable=SC2086 # options
(trap '' HUP; exec firn extract -q -m $model $small -o cache2 --files-from later) 2>../log &
pid=$!
exec 9>later
find photos -name '*-01.jpg' | LC_ALL=C sort >&9
wait_for has_four cache2
kill -HUP $pid
sleep 0.5
find photos -name '*-02.jpg' | LC_ALL=C sort >&9
exec 9>&-
wait $pid
echo "exit $?"
cat ../log
firn ls cache2 | grep -c done
# A measurement leaves no scratch files behind.
for what in pixels cache; do
    firn bench $what -t 60 >/dev/null 2>../log &
    pid=$!
    wait_for has_scratch
    kill -TERM $pid
    wait $pid
    echo "exit $?"
    grep -v 'no cache given' ../log
    scratch
done
