# Compact, repair and merge.
quiet samples photos 3
quiet extract -o cache photos
rm photos/ring/ring-01.jpg
quiet extract -o cache photos
try firn compact cache
try firn compact cache
try firn verify cache
firn ls --all cache | grep -c done
# A directory that is moved is known by both names until the old one is forgotten.
quiet samples old 1
quiet extract -o moving old
mv old new
# shellcheck disable=SC2086 # options
firn extract -m $model $small -o moving new 2>&1 | grep 'not there now'
try firn compact --forget other moving
try firn compact --forget new/ring moving
try firn compact --forget old/ moving
try firn ls moving
try firn verify moving
try extract -o moving new
# Two halves and a third cache that overlaps.
quiet extract -o a photos/circle/circle-01.jpg photos/square/square-02.jpg
quiet extract -o b photos/square/square-02.jpg photos/ring/ring-02.jpg
try firn merge both a b
try firn merge both a b
try firn ls both
# As JSON, how the cache was before and is now.
cp -r a more
firn merge --json more b | grep -o '"rows_before.*segments":[0-9]*'
firn merge --json created a b | grep -o '"rows_before.*"bytes_before":[0-9]*'
quiet extract --resize 80 -o other photos
try firn merge both other
try firn merge both nothing
try firn merge both
# Damage.
largest=$(find cache -name 'seg*' -printf '%s %p\n' | sort -n | tail -n 1 | cut -d' ' -f2)
try firn repair cache
overwrite "$largest" 9000 'damage'
firn repair cache 2>&1 |
    sed 's/byte [0-9]*/byte N/; s|^firn: DIR/.*:|PATH:|; s/^firn: .*photos.*jpg/PATH/' | sort -u
try firn repair --requeue cache
firn repair --yes --requeue --json cache 2>/dev/null | sed 's/[1-9][0-9]*/N/g'
try firn verify cache
find cache -name '*.damaged' | sed 's/[0-9]//g'
quiet extract -o cache photos
firn stat cache | grep photographs
try firn repair /nonexistent
