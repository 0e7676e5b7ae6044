try firn model untrained:resnet18
try firn model -l untrained:resnet50:3
try firn model untrained:resnet18:x
try firn model untrained:
head -c 100000 /dev/zero >zero.pth
try firn model zero.pth
: >empty.pth
try firn model empty.pth
printf '\200\002cos\nsystem\nX\002\000\000\000id\205R.' >hostile.pth
try firn model hostile.pth
printf '\010\000\000\000\000\000\000\000{"a":{}}' >bad.safetensors
try firn model bad.safetensors
try firn model .
