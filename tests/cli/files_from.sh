quiet samples s 2
find s -name '*-01.jpg' | LC_ALL=C sort >list
try extract -o cache --files-from list
try firn ls cache
find "$PWD/s" -name '*-02.jpg' -print0 | LC_ALL=C sort -z >list0
cat list0 | { try extract -o cache -0 -f -; }
try firn ls -a cache
try extract -o cache --files-from nothing
