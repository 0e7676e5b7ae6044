# SPDX-License-Identifier: MIT
# shellcheck shell=sh
# What the command-line tests share. Each prints a transcript: "$ command", what came on stdout,
# what came on stderr behind "! ", and the exit status when it is not 0.

# Crops of 64 pixels keep the tests quick; one test uses the preset.
model=untrained:resnet18
small='--resize 72 --crop 64'

transcript()
{
    printf '$ %s\n' "$*"
}

# Failed photographs are named in the order in which they fail, which is anyone's guess, and so is
# where news of the walk comes between them; a slow run tells how far it is.
sort_failures()
{
    awk '/^firn: [0-9]+ of [0-9]+/ { next }
        /: (corrupt|skipped): |; not followed$/ { print | "sort"; next }
        { close("sort"); print; fflush() }'
}

# try COMMAND...: runs it and shows everything.
try()
{
    transcript "$@"
    "$@" >../out 2>../err
    status=$?
    cat ../out
    sort_failures <../err | sed 's/^/! /'
    [ "$status" = 0 ] || echo "= exit $status"
}

# quiet COMMAND...: preparation, shown only when it fails.
quiet()
{
    "$@" >../out 2>&1 || { transcript "$@"; cat ../out; }
}

# wait_for COMMAND...: until it succeeds, 10 seconds at most.
wait_for()
{
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        "$@" && break
        sleep 0.5
    done
}

extract()
{
    # shellcheck disable=SC2086 # options
    firn extract -q -m $model $small "$@"
}

skip()
{
    echo "$*"
    exit 77
}

# Runs a command as a user who is not root, to whom permissions mean something.
as_user()
{
    if [ "$(id -u)" != 0 ]; then
        "$@"
    else
        setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
    fi
}

can_be_user()
{
    as_user true 2>/dev/null || skip "cannot become another user"
}

# overwrite FILE OFFSET TEXT: damages a file in place.
overwrite()
{
    printf '%s' "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
