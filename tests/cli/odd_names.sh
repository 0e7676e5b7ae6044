quiet samples s 1
mkdir photos photos/a
bytes=$(printf 'photos/a/\377\376.jpg')
cp s/ring/ring-01.jpg "$bytes"
cp s/ring/ring-01.jpg 'photos/a/two
lines.jpg'
cp s/ring/ring-01.jpg 'photos/a/-o.jpg'
cp s/ring/ring-01.jpg 'photos/a/ü, "quoted".jpg'
echo damaged >"$(printf 'photos/a/\033[31m\377.jpg')"
try extract -o cache photos
try firn ls cache
try firn ls --json --failed cache
firn ls -0 cache | tr '\0' '\n' | LC_ALL=C sed -n l
try firn show -q cache 'a/-o.jpg'
try firn preview photos/a/-o.jpg -o -x.ppm
