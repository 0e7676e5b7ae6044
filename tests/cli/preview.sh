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
try firn preview s/ring/ring-01.jpg -o no/such/out.ppm
