firn probe nothing 2>&1 | grep liblbfgs && skip "built without liblbfgs"
# Figures are for other tests: they depend on the last bits of features.
advise()
{
    transcript firn bn advise "$@"
    # shellcheck disable=SC2086 # options
    firn bn advise -m $model $small "$@" >../out 2>../err
    status=$?
    sed -E 's/[0-9]+\.[0-9]+/X/g; s/ +[0-9]+ of/ N of/; s/  +/  /g; s/^(Keep|Use) .*/.../' ../out
    sed 's/^/! /' ../err
    [ "$status" = 0 ] || echo "= exit $status"
}
has_begun()
{
    [ -d went ] || [ -n "$(find "$TMPDIR" -mindepth 1 -maxdepth 1 -name "firn-*")" ]
}
samples photos 10
mkdir both both/train both/val
for class in photos/*; do
    name=$(basename "$class")
    mkdir both/train/"$name" both/val/"$name"
    cp "$class"/*-0[1-6].jpg both/train/"$name"
    cp "$class"/*-0[7-9].jpg "$class"/*-10.jpg both/val/"$name"
done
advise both
# The head of the table ends where the numbers below it end.
awk 'NR < 3 { gsub(/ +$/, ""); if (NR == 2 && length != width) print "askew"; width = length }' \
    ../out
advise --keep kept --sample 24 -b 2 photos
ls kept
# The pixels are those of the options, and a photograph that fails is in the exit status.
echo junk >photos/ring/junk.jpg
advise -q --keep turned --exif apply --decode fast photos
try firn why kept/frozen.firn turned/frozen.firn
# shellcheck disable=SC2086 # options
try firn extract -q -m $model $small --exif apply --decode fast -o fits \
    --bn turned/cumulative.safetensors photos
advise nowhere
mkdir empty
advise empty
# Without classes there is nothing to judge by, which is seen before the work.
mkdir -p flat untold/train half/train half/val few/ring few/square
cp photos/ring/*.jpg flat
cp -r photos/ring untold/train
cp photos/ring/*.jpg half/val
cp -r photos/ring photos/square half/train
cp photos/ring/ring-01.jpg few/ring
cp photos/square/square-01.jpg few/square
advise flat
advise untold
mkdir untold/val
advise untold
advise half
advise few
try firn bn advise photos
try firn bn advise --help
# Stopped, it says what there is to go on from. Preset sizes: it shall not be done before.
for keep in "" "--keep went"; do
    # shellcheck disable=SC2086 # options
    firn bn advise -m $model $keep photos 2>../log &
    pid=$!
    wait_for has_begun
    kill -TERM $pid
    wait $pid
    echo "exit $?"
    grep 'stopped' ../log
    [ -n "$keep" ] || grep 'is kept' ../log # nothing is
done
find "$TMPDIR" -mindepth 1 -maxdepth 1 -name "firn-*" # nothing is left
