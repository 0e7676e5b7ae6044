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
mount -o remount,size=$(($(du -sk disk | cut -f1) + 100))k disk
try firn export disk/cache -o disk/out.npz
ls disk
END
unshare -m sh inner
