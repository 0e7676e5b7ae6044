quiet samples photos 2
for views in flip ten random:3:7; do
    try extract --views $views -o $views photos
done
cp photos/ring/ring-01.jpg photos/square/copy.jpg
try firn extract -m $model $small --views ten -o ten photos
try firn stat ten
try firn show -q ten square/copy.jpg
try firn show -q random:3:7 ring/ring-02.jpg
try firn show -q flip ring/ring-02.jpg
# Views are part of the fingerprint.
try extract --views five -o ten photos
try extract --views random:3:8 -o random:3:7 photos
try firn why flip ten
# Rows of a photograph are together.
try firn export flip -o flip.csv
cut -d, -f2-4 flip.csv | head -n 5
try firn export ten -o center.csv --view center
cut -d, -f2-4 center.csv | tail -n 2
try firn export random:3:7 -o out.npz --view 2
try firn export random:3:7 -o out.npz --view center
try firn export flip -o out.npz --view 2
# What is made of each.
try firn preview --views five --view 3 photos/ring/ring-01.jpg -o 3.ppm
try firn preview --views random:4 --view 3 --json photos/ring/ring-01.jpg -o 3.ppm
try firn preview --views five --view 5 photos/ring/ring-01.jpg -o 5.ppm
# Upkeep keeps the views of a photograph together.
rm photos/ring/ring-01.jpg photos/square/copy.jpg
quiet extract --views ten -o ten photos
try firn compact ten
try firn verify ten
firn export -q ten -o after.csv --select 'path=*ring-02*'
wc -l <after.csv
try firn merge all ten
try firn merge all flip
# Statistics come from centre crops and serve all views; what was estimated otherwise does not.
# shellcheck disable=SC2086 # options
quiet firn bn estimate -q -m $model $small -o stats photos
try extract --bn stats --views flip -o adapted photos
try extract --bn stats --exif apply --views flip -o new photos
# What does not go together.
try extract --views six -o new photos
try extract --views random:0 -o new photos
try extract --views random:65 -o new photos
try extract --views random:3:x -o new photos
try extract --views random:3 --decode fast -o new photos
try firn extract -m $model --resize 60 --crop 64 --views five -o new photos
try extract --views flip --bn batch:4 -o new photos
[ -e new ] || echo "nothing was begun"
