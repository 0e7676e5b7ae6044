quiet samples photos 1
try extract -o cache nothing
try firn extract -m nothing.pth -o cache photos
try firn extract -m resnet18 -o cache photos
try env -u HOME firn model resnet18
try env -u HOME TORCH_HOME=torch firn model resnet18
try firn extract -m untrained:vgg16 -o cache photos
try firn extract -m photos/ring/ring-01.jpg -o cache photos
try extract -o no/such/dir/cache photos
try extract -o photos/ring/ring-01.jpg photos
[ ! -e cache ] || echo "a failed run has left a cache"
try firn ls nothing
try firn ls photos
try firn stat photos/ring/ring-01.jpg
try firn verify nothing
try firn export nothing -o out.npz
try firn why nothing nothing
try firn model nothing.pth
try firn preview nothing.jpg -o out.ppm
try firn preview photos/ring/ring-01.jpg -o out.PNG
mkdir empty
try extract -o cache empty
mkdir empty/class
try extract -o cache empty
try firn ls cache
quiet extract -o good photos
try firn show good nothing.jpg
try firn show good .jpg
