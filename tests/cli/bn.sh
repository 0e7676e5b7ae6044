quiet samples photos 4
# shellcheck disable=SC2086 # options
estimate()
{
    try firn bn estimate -m $model $small "$@"
}
try firn bn
try firn bn guess
try firn bn estimate -m $model photos
estimate -o s.safetensors photos
estimate -o c.safetensors --method cumulative -b 4 photos
estimate -o p1 --method population -b 4 --shard 1/2 photos
estimate -o p2 --method population -b 4 --shard 2/2 photos
try firn bn merge -o p.safetensors p1
try firn bn merge -o p.safetensors p2 p1
try firn extract -q -m $model -o other --bn p1 photos
try firn bn apply -m $model -o whole.safetensors p1
try firn bn diff p1 p2
estimate -o q.safetensors --method population -b 4 photos
try cmp p.safetensors q.safetensors
echo "what failed in a shard is counted once"
cp -r photos some
echo text >some/square/text.jpg
ln -s nowhere some/square/nowhere.jpg
for i in 1 2; do
    estimate -q -o f$i --method population -b 4 --shard $i/2 some
done
try firn bn merge -o f.safetensors f1 f2
estimate -q -o g.safetensors --method population -b 4 some
try cmp f.safetensors g.safetensors
try firn bn merge -o x.safetensors s.safetensors
estimate -o x --shard 1/2 photos
estimate -o x --method ema --momentum 2 photos
estimate -o x --method population --shard 3/2 photos
estimate -o x nowhere
echo "a result that cannot be written is refused before the work"
estimate -o no/x.safetensors nowhere
estimate -o photos photos
echo "features with them, and what is refused"
extract -o cache --bn s.safetensors photos
try firn why cache $model
try firn extract -q -m $model -o other --bn s.safetensors photos
try firn extract -q -m untrained:resnet18:1 -o other --bn s.safetensors photos
try firn extract -q -m untrained:resnet34 -o other --bn s.safetensors photos
try firn bn apply -m $model -o whole.safetensors s.safetensors
try firn extract -q -m $model -o other --bn whole.safetensors photos
try firn model s.safetensors
try firn extract -q -m $model -o other --bn missing.safetensors photos
try firn extract -q -m $model -o other --bn frozn photos
size=$(wc -c <s.safetensors)
overwrite s.safetensors $((size - 1)) '@'
try firn bn diff s.safetensors s.safetensors
overwrite s.safetensors $((size - 1)) "$(printf '\277')"
try firn bn diff s.safetensors s.safetensors
overwrite s.safetensors $((size - 2)) "$(printf '\300\177')"
try firn bn diff s.safetensors s.safetensors
echo "what would be lost, and what would not be heeded"
cp whole.safetensors again.safetensors
ln again.safetensors link.safetensors
estimate -o x.safetensors -q photos
# shellcheck disable=SC2086 # options
try firn bn estimate -m again.safetensors $small -o ./link.safetensors photos
try firn bn apply -m again.safetensors -o again.safetensors s.safetensors
try firn bn apply -m $model -o s.safetensors s.safetensors
try firn bn merge -o p1 p1 p2
try firn bn diff --svg s.safetensors $model s.safetensors
cmp whole.safetensors again.safetensors && echo "all there"
estimate -o x -0 photos
estimate -o x --momentum 0.5 photos
estimate -o x -b 4 photos
estimate -o x --method cumulative --seed 1 photos
estimate -o x --method population --no-spill photos
estimate -o x --spill . --no-spill photos
echo "classes of two directories are numbered together"
mkdir two
cp -r photos/square photos/ring two
mkdir all
for class in photos/*; do
    class=$(basename "$class")
    mkdir all/"$class"
    for place in photos two; do
        for file in "$place/$class"/*; do
            [ ! -e "$file" ] || cp "$file" all/"$class/$place-$(basename "$file")"
        done
    done
done
estimate -q -o y.safetensors --method cumulative -b 3 photos two
estimate -q -o z.safetensors --method cumulative -b 3 all
try cmp y.safetensors z.safetensors
echo "batches"
# shellcheck disable=SC2086 # options
batches()
{
    try firn extract -m $model $small -o batches --bn "$@"
}
batches batch:0 photos
batches batch:5 photos
batches batch:5 -b 2 --memory small --io threads --keep-cache --no-partial photos
batches batch:5:7 photos
rm photos/ring/ring-01.jpg
batches batch:5 photos
rm -r batches
mkdir one
mv photos/ring one
batches batch:5 one
estimate -o x.safetensors one
echo "other pixels"
pixels="--exif apply --decode fast"
# shellcheck disable=SC2086 # options
estimate -o turned.safetensors $pixels one
try firn extract -m $model $small -o turned --bn turned.safetensors one
try firn extract -m $model $small -o turned --bn turned.safetensors $pixels one
try firn extract -m $model $small -o fours --bn batch:4 $pixels one
firn stat turned | grep -o "exif apply"
firn stat fours | grep -o "exif apply\|decode fast"
echo "differences"
try firn bn diff p.safetensors q.safetensors
try firn bn diff whole.safetensors untrained:resnet50
firn bn diff --json --svg d.svg c.safetensors p.safetensors | tr , '\n' | grep -c '"layer":'
head -c 4 d.svg
echo
