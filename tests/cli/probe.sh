firn probe nothing 2>&1 | grep liblbfgs && skip "built without liblbfgs"
# Figures are for other tests: they depend on the last bits of features.
probe()
{
    transcript firn probe "$@"
    firn probe "$@" >../out 2>../err
    status=$?
    sed -E 's/\b[0-9]+\.[0-9]+(e-[0-9]+)?/X/g; s/[0-9]+ steps/N steps/; s/C = [0-9e-]+/C = X/
        s/\([0-9]+ of/(N of/; s/\| *\* *\|$/|...|/; s/ends at .*/.../
        s/^( [0-9]  [a-z]+ ) [ 0-9]*$/\1.../' ../out
    sed 's/^/! /' ../err
    [ "$status" = 0 ] || echo "= exit $status"
}
samples photos 12
mkdir train val few
for class in photos/*; do
    name=$(basename "$class")
    mkdir -p train/"$name" val/"$name" few/"$name"
    cp "$class"/*-0[1-8].jpg train/"$name"
    cp "$class"/*-09.jpg "$class"/*-1?.jpg val/"$name"
    cp "$class"/*-01.jpg few/"$name"
done
quiet extract -o train.firn train
quiet extract -o val.firn val
probe --epochs 2 train.firn val.firn
probe -q --epochs 0 -C 0.1 -j 2 train.firn val.firn
echo "# classes: one more, one less, another order"
mkdir others
cp -r val/ring others/arc
cp -r val/square others/square
mkdir others/circle
quiet extract -o others.firn others
probe --epochs 0 train.firn others.firn
mkdir alien
cp -r val/ring alien/saturn
quiet extract -o alien.firn alien
probe train.firn alien.firn
echo "# held out"
probe --epochs 0 train.firn
probe -q --epochs 0 --holdout 50 train.firn
echo "# nothing to learn from"
quiet extract -o unlabelled.firn val/ring
probe unlabelled.firn
probe train.firn unlabelled.firn
mkdir one
cp -r train/ring one/ring
quiet extract -o one.firn one
probe one.firn
probe one.firn val.firn
quiet extract -o few.firn few
probe few.firn
probe --epochs 0 few.firn val.firn
probe no.firn
echo "# of which a part is lost"
cp -r val.firn cut.firn
truncate -s 8192 cut.firn/seg-00000001.firn
probe -q train.firn cut.firn
probe -q --json cut.firn
echo "# the same photographs on both sides"
probe --epochs 0 train.firn train.firn
echo "# other features"
quiet firn extract -q -m untrained:resnet18:7 --resize 72 --crop 64 --store f16 -o other.firn val
probe train.firn other.firn
probe --epochs 0 --allow-mixed train.firn other.firn
echo "# the layer as a file"
probe -q --epochs 0 -o head.safetensors train.firn val.firn
probe -q --epochs 0 -o head.npz train.firn val.firn
probe -q --epochs 0 -o no/head.npz train.firn val.firn
probe -o no/head.npz no.firn
ls head.*

echo "# several views: the centre crop counts"
for views in center five random:2; do
    quiet extract --views $views -o $views train
    quiet extract --views $views -o $views.val val
    probe -q --epochs 0 $views $views.val
done
for views in center five; do
    firn probe -q --json --epochs 0 $views $views.val | tr , '\n' | grep '_accuracy"' >$views.json
done
cmp center.json five.json && echo "the same"
