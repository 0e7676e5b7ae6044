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
# A list of photographs that is damaged: repair before extract keeps their features for it.
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
    sed 's/[0-9][0-9]* features* that/N features that/; s/ is kept/ are kept/;
        s/ it again/ them again/' ../out
done
quiet extract -o early photos
firn export -q early -o early.npy && cmp after.npy early.npy && echo "the same features"
firn extract -m $model $small -o listed photos 2>&1 | grep -E 'computed|known|reused'
firn repair -q --yes listed 2>../err && firn verify listed | sed 's/[0-9][0-9]*/N/g'
firn stat listed | grep photographs
# A cut costs the ledger at the end of a file, and repair keeps the features before it for extract.
quiet samples many 25
quiet extract -o parts many
quiet firn merge cut parts # one commit, however slow the machine is
quiet firn export -q cut -o whole.npy
segment=$(echo cut/seg-*)
truncate -s $(($(stat -c %s "$segment") * 9 / 10)) "$segment"
no_offsets()
{
    sed 's/byte [0-9]*/byte N/; s/"\(offset\|bytes\)":[0-9]*/"\1":N/g; s/^/  /'
}
firn verify cut 2>&1 | no_offsets
firn verify --json cut | no_offsets
firn repair cut 2>&1 | no_offsets
firn repair --yes cut 2>/dev/null
echo "exit $?"
firn verify -q cut && try firn stat cut | grep -E 'photographs|features'
# shellcheck disable=SC2086,SC2154 # options
firn extract -m $model $small -o cut many 2>&1 | grep -o '[0-9]* photographs: .*'
quiet firn export -q cut -o after.npy
cmp after.npy whole.npy && echo "the same features"
# Without a head nothing says what the features were made with.
quiet extract -o headless photos
overwrite "$(echo headless/seg-*)" 0 'damage of sixteen'
firn verify headless 2>&1 | sed '/^seg-/d; s/^.*: done, but/NAMES: done, but/'
try extract -o headless photos
firn repair --yes headless 2>../err
echo "exit $?"
