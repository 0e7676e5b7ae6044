[ "$(id -u)" = 0 ] || skip "not root: cannot mount a small disk"
unshare -m true 2>/dev/null || skip "cannot unshare the mounts"
quiet samples photos 30
mkdir disk
cat >inner <<'END'
. "$CLI/lib.sh"
mount -t tmpfs -o size=1152k tmpfs disk || skip "cannot mount a small disk"
try extract -o disk/cache photos
try firn verify -q disk/cache
firn ls disk/cache >../before || echo "cannot list"
mount -o remount,size=64m disk
try extract -o disk/cache photos
try firn verify -q disk/cache
firn ls disk/cache | wc -l
# What is forgotten needs no room in the new copy, which may be 16 MB larger than it seems.
mv photos/circle circle
try extract -o disk/cache circle
mount -o remount,size=$(($(du -sk disk | cut -f1) + 16384 + 150))k disk
firn compact --forget circle disk/cache 2>&1 | sed 's/[0-9]* MB/N MB/g'
try firn compact --forget photos disk/cache
firn ls disk/cache | wc -l
rm -r disk/cache
mv circle photos
extract -q -o disk/cache photos
mount -o remount,size=$(($(du -sk disk | cut -f1) + 100))k disk
try firn export disk/cache -o disk/out.npz
ls disk
END
unshare -m sh inner
