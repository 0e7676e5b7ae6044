try firn help
try firn --version
for verb in extract watch status pause resume rescan stop metrics ls stat show verify export why \
    model preview bench probe; do
    try firn help $verb
done
try firn help help
try firn bn help
firn bn estimate --help >direct
firn bn help estimate | cmp - direct && echo "the same"
try firn bn help nothing
