quiet samples s 2
find s -name '*-01.jpg' | LC_ALL=C sort >list
try extract -o cache --files-from list
try firn ls cache
find "$PWD/s" -name '*-02.jpg' -print0 | LC_ALL=C sort -z >list0
cat list0 | { try extract -o cache -0 -f -; }
try firn ls -a cache
try extract -o cache --files-from nothing
echo "a list without names is no reason to begin a cache; a name that is too long fails alone"
try extract -o new --files-from /dev/null
echo | { try extract -o new -f -; }
try extract -o new --bn batch:2 --files-from /dev/null
try extract -o cache --files-from /dev/null
[ -e new ] || echo "nothing was begun"
{
    cat list
    head -c 5000 /dev/zero | tr '\0' a
} >long
for bn in frozen batch:2; do
    try extract -o $bn --bn $bn --files-from long
    try firn ls $bn
done 2>&1 | sed 's/aaaa*/A/'
echo "a FIFO is waited for, until a signal comes"
mkfifo fifo
(sleep 1 && cat list >fifo) &
try extract -o piped -f fifo
firn ls piped | wc -l
# shellcheck disable=SC2086 # options
firn extract -q -m $model $small -o new -f fifo &
pid=$!
reads_fifo()
{
    find /proc/$pid/fd -lname '*/fifo' 2>/dev/null | grep -q .
}
wait_for reads_fifo
kill $pid
wait $pid
echo "exit $?"
[ -e new ] || echo "nothing was begun"
echo "a NUL byte in a list of lines, a list without an end, a line of megabytes"
cat list0 | { try extract -o other -f -; }
try extract -o other -f /dev/zero
try firn bn estimate -q -m $model -o s.safetensors -f /dev/zero
head -c 3000000 /dev/zero | tr '\0' a |
    { try firn bn estimate -q -m $model -o s.safetensors -f -; } | sed 's/aaaa*/A/'
