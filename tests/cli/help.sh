try firn help
try firn --version
for verb in extract ls stat show verify export why model preview bench; do
    try firn help $verb
done
