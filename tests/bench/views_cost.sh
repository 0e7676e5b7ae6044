#!/bin/sh
# SPDX-License-Identifier: MIT
# What several views cost: views_cost.sh FIRN DIR [VIEWS...] extracts DIR with each, [center five
# ten], in turn, three times; seconds, loading included, and the most memory, resident, in kB.
firn=$1 photos=$2
shift 2
[ $# -gt 0 ] || set -- center five ten
cache=$(mktemp -d)
trap 'rm -rf "$cache"' EXIT
for turn in 1 2 3; do
    for views; do
        rm -rf "$cache"/*
        printf '%s %s ' "$turn" "$views"
        /usr/bin/time -f '%e s, %M kB' "$firn" extract -q -m untrained:resnet18 --views "$views" \
            -o "$cache/cache" "$photos" 2>&1 | tail -n 1
    done
done
