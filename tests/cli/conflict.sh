quiet samples photos 1
quiet extract -o cache photos
try firn extract -m untrained:resnet18:7 $small -o cache photos
try firn extract -m $model $small --resize 80 -o cache photos
try firn extract -m $model $small --store f16 -o cache photos
try firn extract -m untrained:resnet34 $small -o cache photos
quiet firn extract -q -m untrained:resnet18:7 $small --store f16 -o other photos
try firn why cache other
try firn why --exit-code cache other
try firn why -q --exit-code cache cache
try firn why cache untrained:resnet34
try firn verify cache
