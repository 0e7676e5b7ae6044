# Whose daemon it is: another user's is told from none; root finds everybody's.
can_be_user
quiet samples photos 1
mkdir -m 700 run
XDG_RUNTIME_DIR=$PWD/run
export XDG_RUNTIME_DIR
# shellcheck disable=SC2086 # options
firn watch -q -B -m $model $small -o cache photos
try as_user firn status cache
quiet firn stop cache
try as_user firn status cache
rm -r cache
# Without a directory of the session's it is one in /tmp.
unset XDG_RUNTIME_DIR
# shellcheck disable=SC2086 # options
as_user firn watch -q -B -m $model $small -o cache photos
firn status cache | head -n 1 | cut -d' ' -f1
try firn stop cache
try firn status cache
as_user rmdir "/tmp/firn-$(as_user id -u)" 2>/dev/null
