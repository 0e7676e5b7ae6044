quiet samples photos 4
# A limit of file size is no full disk, and no reason to die of SIGXFSZ.
(ulimit -f 12 && try extract -o cache photos)
try firn verify -q cache
quiet extract -o cache photos
try firn verify -q cache
firn ls cache | wc -l
# The same file under several names is one photograph.
cd photos/ring
try extract -o ../../few ring-01.jpg ./ring-01.jpg ../ring/ring-01.jpg
cd ../..
firn ls few | wc -l
# Neither is a limit of open files a disk that fails, or a cache that is not there.
try sh -c 'ulimit -n 4; exec firn ls cache'
try sh -c "ulimit -n 5; exec firn extract -q -m $model -o cache photos"
try sh -c 'ulimit -n 4; exec firn merge new cache'
# A stack that is too small is said, not met.
try sh -c 'ulimit -s 64; exec firn ls cache'
