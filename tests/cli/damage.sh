quiet samples photos 12
quiet extract -o cache photos
try firn verify cache
largest=$(find cache -type f -printf '%s %p\n' | sort -n | tail -n 1 | cut -d' ' -f2)
overwrite "$largest" 30000 'damage'
# Which photographs lie in the damaged block is a matter of timing.
firn verify cache 2>&1 | sed 's/^.*: done, but/NAMES: done, but/; s/[0-9][0-9]* photo/N photo/;
    s/byte [0-9]*/byte N/'
firn verify -q cache >../out 2>&1
echo "exit $?"
firn export cache -o out.npy 2>../err
echo "exit $?"
grep -c 'run firn extract again' ../err
try extract -o cache photos
firn verify cache 2>&1 | sed 's/[0-9][0-9]* photo/N photo/; s/byte [0-9]*/byte N/'
quiet firn export -q cache -o after.npy
quiet extract -o fresh photos
quiet firn export -q fresh -o fresh.npy
cmp after.npy fresh.npy && echo "the same features"
# After a repair, what export leaves out is what ls --failed lists.
largest=$(find fresh -type f -printf '%s %p\n' | sort -n | tail -n 1 | cut -d' ' -f2)
overwrite "$largest" 30000 'damage'
firn repair -q --yes fresh 2>../err
firn export fresh -o part.npy 2>../err
lost=$(firn ls --failed fresh | wc -l)
[ "$lost" -gt 0 ] && grep -c "^firn: $lost photograph.* left out; 'firn ls --failed' lists " ../err
