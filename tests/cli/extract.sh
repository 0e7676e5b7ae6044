quiet samples photos 2
try firn extract -m $model -o cache photos
try firn extract -m $model -o cache photos
try firn ls cache
try firn stat cache
try firn show -q cache ring/ring-02.jpg
cd photos/ring
try firn show -q ../../cache ../ring/ring-02.jpg
cd ../..
try firn verify cache
try firn why cache cache
try firn why cache $model
