quiet samples photos 2
: >photos/ring/empty.jpg
head -c 9000 photos/ring/ring-01.jpg >photos/ring/half.jpg
echo 'no photograph at all' >photos/ring/text.jpg
printf 'GIF89a' >photos/square/image.png
try firn extract -m $model $small -o cache photos
try firn ls cache
try firn ls --failed cache
try firn show cache text.jpg
# Corrupt ones are not tried again until they change.
try firn extract -m $model $small -o cache photos
cp photos/circle/circle-01.jpg photos/ring/text.jpg
try firn extract -m $model $small -o cache photos
# A photograph that is not there (any more).
printf 'photos/ring/ring-01.jpg\nphotos/gone.jpg\n' >list
try firn extract -m $model $small -o cache --files-from list
try firn extract -m $model $small -o cache photos/gone.jpg
# What is skipped for the same reason again is said again, but the cache does not grow.
ln -s nowhere photos/ring/nowhere.jpg
try firn extract -m $model $small -o cache photos
cp -r cache before
try firn extract -m $model $small -o cache photos
try diff -r -x LOCK before cache
