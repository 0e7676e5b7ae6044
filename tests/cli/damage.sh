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
[ "$lost" -gt 0 ] &&
    grep -c "^firn: $lost photograph.* left out; 'firn ls --failed fresh' lists " ../err
# A list of photographs that is damaged: repair before extract leaves their features out.
quiet extract -o listed photos
largest=$(find listed -name 'seg*' -printf '%s %p\n' | sort -n | tail -n 1 | cut -d' ' -f2)
ledger=$(LC_ALL=C grep -obUaP '\xF1RN\x1A\x01\x03' "$largest" | head -n 1 | cut -d: -f1)
overwrite "$largest" $((ledger + 70)) 'damage'
rm -f listed/INDEX
cp -r listed early
for i in '' --yes ''; do
    # shellcheck disable=SC2086 # none or one
    firn repair $i early >../out 2>/dev/null
    echo "exit $?"
    sed 's/[0-9][0-9]* features* [a-z]* of/N features are of/' ../out
done
firn extract -m $model $small -o listed photos 2>&1 | grep -E 'computed|known|reused'
firn repair -q --yes listed 2>../err && firn verify listed | sed 's/[0-9][0-9]*/N/g'
firn stat listed | grep photographs
