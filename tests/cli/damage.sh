quiet samples photos 12
quiet extract -o cache photos
try firn verify cache
largest=$(find cache -type f -printf '%s %p\n' | sort -n | tail -n 1 | cut -d' ' -f2)
overwrite "$largest" 30000 'damage'
firn verify cache >../out 2>../err
echo "verify ends with $?"
sed -n 's/:.*//; s/byte [0-9]*/byte N/; s/^[^ ]* at/FILE at/p' ../out | sort -u
grep -c 'extract' ../err
try extract -o cache photos
quiet firn export -q cache -o after.npy
quiet extract -o fresh photos
quiet firn export -q fresh -o fresh.npy
cmp after.npy fresh.npy && echo "the same features"
