# Nothing but regular files is read: a FIFO must not make firn wait, a loop must not hold it.
quiet samples photos 1
mkfifo photos/ring/pipe.jpg
ln -s . photos/ring/loop
ln -s ../ring photos/square/again
ln -s nowhere.jpg photos/square/dangling.jpg
ln -s /dev/zero photos/square/zero.jpg
ln -s ring-01.jpg photos/ring/linked.jpg
mkdir photos/square/directory.jpg
try timeout 60 firn extract -m $model $small -o cache photos
try firn ls cache
mkfifo pipe
try timeout 60 firn extract -m $model $small -o cache pipe
try timeout 60 firn preview pipe -o out.ppm
try timeout 60 firn model pipe
