can_be_user
quiet samples photos 1
chmod 000 photos/ring/ring-01.jpg
try as_user firn extract -m $model $small -o cache photos
chmod 000 photos/square
try as_user firn extract -m $model $small -o cache photos
try firn ls cache
chmod 755 photos/square
chmod 644 photos/ring/ring-01.jpg
try as_user firn extract -m $model $small -o cache photos
try firn ls --failed cache
mkdir locked
chmod 555 locked
try as_user firn extract -m $model $small -o locked/cache photos
try as_user firn export cache -o locked/out.npy
chmod 000 cache
try as_user firn ls cache
chmod 755 cache
