quiet samples photos 1
echo damaged >photos/ring/bad.jpg
extract -o cache photos 2>/dev/null
try firn export cache -o out.npz
try firn export cache -o out.npy
try firn export cache -o out.safetensors
try firn export -q cache -o OUT.NPZ
cmp OUT.NPZ out.npz && echo "an ending in any case"
rm OUT.NPZ
try firn export -q cache -o out.csv
head -n 1 out.csv | cut -d, -f1-4
cut -d, -f1-3 out.csv | tail -n +2
try firn export cache -o no/such/out.npy
mkdir dir.npy
try firn export cache -o dir.npy
try firn export cache -o .npy
# Written again, byte for byte; nothing else is left.
cp out.npz before.npz
quiet firn export -q cache -o out.npz
cmp out.npz before.npz && echo "the same"
ls
# A part of it: of each kind of condition one has to hold.
part()
{
    rm -f part.csv
    try firn export -q cache -o part.csv "$@"
    [ ! -f part.csv ] || cut -d, -f1-3 part.csv | sed '1d; s|^.*/photos/||'
}
part --select 'class=ri*'
part --select 'path=*-01.jpg' --select label=0 --select label=3
part --select 'path=*/photos/ring/*' --select label=1
part --select label=2 --select class=square
part --select state=done --select label=-1
part --select class=nothing
part --select state=gone
part --select state=corrupt
part --select label=1x
part --select label=-2
part --select label=
part --select ring
part --select Label=1
# What failed is counted where it would have been taken.
for class in ring square; do
    try firn export cache -o part.csv --select "class=$class"
done
# A photograph that is gone has a feature as long as the cache keeps it.
rm photos/ring/ring-01.jpg
extract -o cache photos 2>/dev/null
part --select 'class=ring'
part --select state=gone
part --select state=gone --select state=done
# A link stays one, and what it leads to is written; the longest name is one; a longer one is none.
mkdir far
echo >far/real.npy
ln -s far/real.npy link.npy
ln -s nowhere.npy lost.npy
longest=$(head -c 251 /dev/zero | tr '\0' a).npy
for out in link.npy lost.npy "$longest" "a$longest"; do
    try firn export -q cache -o "$out"
done 2>&1 | sed 's/aaaa*/A/'
cmp link.npy "$longest" && cmp far/real.npy "$longest" && [ -L link.npy ] && echo "the same"
