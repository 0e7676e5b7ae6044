# The walk of torchvision's ImageFolder: nested directories belong to the top class, an empty class
# keeps its number, endings count in any case, files beside the classes do not.
quiet samples s 2
mkdir -p photos/b/deep/er photos/Z photos/empty photos/.hidden
cp s/circle/circle-01.jpg photos/b/x.JPG
cp s/circle/circle-02.jpg photos/b/deep/er/y.jpeg
cp s/ring/ring-01.jpg photos/Z/z.jpg
cp s/ring/ring-02.jpg photos/.hidden/.h.jpg
cp s/square/square-01.jpg photos/beside.jpg
echo text >photos/b/notes.txt
try extract -o cache photos
try firn ls cache
mkdir flat
cp s/circle/circle-01.jpg s/ring/ring-01.jpg flat
try extract -o flat.firn flat
try firn ls flat.firn
# Two roots: whole paths. A file by name has no class.
try extract -o cache flat s/square/square-02.jpg
try firn ls cache
