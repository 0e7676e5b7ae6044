# A segment that was removed, and one that was cut: every verb says so, and extract makes it good.
quiet samples photos 2
quiet extract -o cache photos/circle
quiet extract -o cache photos
mv cache/seg-00000001.firn away
try firn ls cache
printf x >cache/seg-00000001.firn
try firn ls cache
rm cache/seg-00000001.firn
cp away cache/seg-00000001.firn
truncate -s 8192 cache/seg-00000001.firn
firn ls cache 2>&1 | sed 's/^.*done$/a photograph/' | sort -u
firn export cache -o out.npy
echo "exit $?"
firn verify cache 2>&1 | sed 's/byte [0-9]*/byte N/'
try firn why cache cache
try extract -o cache photos
try firn verify cache
quiet firn export -q cache -o out.npy
