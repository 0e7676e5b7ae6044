# The first writer waits for the end of its list; the second one must not wait for anything.
quiet samples photos 1
mkfifo list
firn extract -q -m $model $small -o cache --files-from list &
exec 9>list
echo photos/ring/ring-01.jpg >&9
wait_for [ -d cache ]
sleep 1
try extract -o cache photos
exec 9>&-
wait
try extract -o cache photos
try firn verify -q cache
firn ls cache | wc -l
