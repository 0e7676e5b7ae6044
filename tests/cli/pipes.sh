quiet samples s 10
quiet extract -o cache s
firn ls cache | head -n 1
firn ls --json cache 2>../err | true
cat ../err
firn ls cache >/dev/full 2>../err
echo "exit $?"
cat ../err
# Several verbs at once read one cache.
for _ in 1 2 3 4; do
    firn verify -q cache &
done
wait
# A closed standard descriptor is not given to a file of the cache.
try extract -o closed -f - <&-
firn ls cache 2>../err >&-
echo "exit $?"
cat ../err
firn help ls >/dev/full 2>../err
echo "exit $?"
cat ../err
