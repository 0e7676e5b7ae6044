quiet samples s 1
try firn preview s/ring/ring-01.jpg -o out.ppm
head -c 15 out.ppm
wc -c <out.ppm
firn preview -q s/ring/ring-01.jpg -o - | cmp - out.ppm && echo "the same"
try firn preview -m $model --json s/ring/ring-01.jpg -o out.ppm
try firn preview --resize 20 --crop 32 s/ring/ring-01.jpg -o small.ppm
cp s/ring/ring-01.jpg own.ppm
try firn preview own.ppm -o ./own.ppm
cmp own.ppm s/ring/ring-01.jpg && echo "still there"
try firn preview s/ring/ring-01.jpg -o out.PNG
echo text >text.jpg
try firn preview text.jpg -o out.ppm
try firn preview --crop 100000 s/ring/ring-01.jpg -o out.ppm
# What extract takes is what preview takes.
for sizes in '--crop 2048' '--crop 2049' '--resize 4097'; do
    # shellcheck disable=SC2086 # options
    try firn preview $sizes s/ring/ring-01.jpg -o out.ppm
    # shellcheck disable=SC2086 # options
    [ "$sizes" = '--crop 2048' ] || try firn extract -q -m $model $sizes -o cache s
done
[ -e cache ] || echo "nothing was begun"
# A photograph on its side, orientation 6.
{
    head -c 2 s/ring/ring-01.jpg
    printf '\377\341\000\042Exif\000\000MM\000\052\000\000\000\010\000\001'
    printf '\001\022\000\003\000\000\000\001\000\006\000\000\000\000\000\000'
    tail -c +3 s/ring/ring-01.jpg
} >side.jpg
try firn preview side.jpg -o out.ppm
try firn preview --exif apply --resize 100 --crop 90 --decode fast side.jpg -o out.ppm
try firn preview s/ring/ring-01.jpg -o no/such/out.ppm
