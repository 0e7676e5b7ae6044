# Renamed, copied, changed, deleted and returned photographs; a directory that cannot tell.
quiet samples photos 2
quiet extract -o cache photos
mv photos/circle/circle-01.jpg photos/ring/moved.jpg
cp photos/square/square-01.jpg photos/triangle/copy.jpg
cp photos/ring/ring-01.jpg photos/square/square-02.jpg
mkdir away
mv photos/triangle/triangle-01.jpg away
try extract -v -o cache photos
try firn ls cache
try firn ls --all cache
try firn ls --duplicates cache
firn ls --duplicates --json cache | grep -c '"state":"done"'
firn stat cache | grep photographs
quiet firn export -q cache -o out.csv
cut -d, -f1 out.csv | sed 's|.*/photos/||'
# Back again, as it was: nothing to compute.
mv away/triangle-01.jpg photos/triangle
try extract -v -o cache photos
firn ls cache | grep triangle-01
# An empty directory (a disk that is not mounted?) and one file by name leave all as it is.
mv photos elsewhere
mkdir photos
try extract -v -o cache photos
firn ls cache | cut -f1 | sort | uniq -c
rmdir photos
mv elsewhere photos
try extract -v -o cache photos/ring/ring-01.jpg
firn stat cache | grep photographs
try firn verify cache
