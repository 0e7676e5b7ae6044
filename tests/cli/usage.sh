try firn
try firn extrat
try firn zzzzzz
try firn probe --json
try firn --nothing
try firn help nothing
try firn extract
try firn extract -m untrained:resnet18 photos
try firn extract -m untrained:resnet18 -o cache
try firn extract -m untrained:resnet18 -o cache -0 photos
try firn extract --modl x
try firn extract -x
try firn extract -m
try firn extract --quiet=yes
try firn extract -m untrained:resnet18 -o cache --threads none photos
try firn extract -m untrained:resnet18 -o cache --batch 0 photos
try firn extract -m untrained:resnet18 -o cache --store f64 photos
try firn extract -m untrained:resnet18 -o cache --io mmap photos
mkdir photos
try firn extract -m untrained:resnet18 -o cache --cpu z80 photos
try firn extract -m untrained:resnet18 -o cache --bn batch:8 photos
try firn ls
try firn ls a b
try firn show cache
try firn export cache
try firn export cache out.npz
try firn preview x.jpg out.ppm
try firn export cache more -o out.npz
try firn export cache -o out.txt
try firn why one
try firn preview x.jpg
try firn bench nothing
try firn bench -t 0.5
try firn probe a b c
try firn probe -C 0 a
try firn probe --epochs many a
try firn probe --scale both a
try firn probe --holdout 99 a
try firn probe --folds 1 a
try firn probe --holdout 30 a b
try firn probe --folds 3 -C 1 a
# Numbers are digits: no blanks, no sign, no other base.
try firn extract -m untrained:resnet18 -o cache --threads ' 2' photos
try firn extract -m untrained:resnet18 -o cache --batch +2 photos
try firn probe -C +1 a
try firn probe -C 0x1 a
try firn export --select label=+1 -o out.npz cache
try firn bn estimate -m untrained:resnet18 -o stats --shard 1/+2 photos
try firn bench trunk -j 100000
try firn probe -o head.pt a
ls
try firn ls ''
try firn extract -m '' -o cache photos
# Neither a directory nor a file of statistics is written to standard output.
try firn extract -m untrained:resnet18 -o - photos
try firn watch -m untrained:resnet18 -o - photos
try firn merge - cache
try firn bn estimate -m untrained:resnet18 -o - photos
try firn ls -
ls
mkdir photos/ring
try firn extract -m untrained:resnet18 -o cache photos photos/ring
try firn watch -m untrained:resnet18 -o cache
try firn watch -m untrained:resnet18 -o cache missing
try firn watch -m untrained:resnet18 -o cache --log xml photos
try firn watch -m untrained:resnet18 -o photos/cache photos
try firn watch -q -m untrained:resnet18 -o cache --max-pressure 101 photos
try firn status
try firn status nothing
try firn stop photos
