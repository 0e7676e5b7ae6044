quiet samples photos 1
echo damaged >photos/ring/bad.jpg
extract -o cache photos 2>/dev/null
try firn export cache -o out.npz
try firn export cache -o out.npy
try firn export cache -o out.safetensors
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
# A part of it.
try firn export cache -o part.csv --class 'ri*'
cut -d, -f1-3 part.csv | sed 's|^.*/photos/||'
try firn export cache -o part.csv --path '*-01.jpg'
cut -d, -f1-3 part.csv | sed 's|^.*/photos/||'
try firn export cache -o part.csv --class nothing
