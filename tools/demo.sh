#!/bin/sh
# demo.sh - the main job on real input: index 340,000 words, save, search from the mapped file
# SPDX-License-Identifier: MIT OR Apache-2.0
# usage: tools/demo.sh      (make demo builds first; the word vectors are fetched once)
set -eu
cd "$(dirname "$0")/.."
nigh=build/nigh
out=build/demo
index=$out/words.nigh
mkdir -p $out
data=$(python3 tools/glove.py --path)
base=$data/glove-100-base
queries=$data/glove-100-queries.npy

echo "indexing 340,000 words on one thread (a minute or two) ..." >&2
$nigh build "$base.npy" --keys "$base.txt" --metric cosine --m 16 --ef-build 200 --seed 42 \
    --threads 1 -o $index --json >$out/build.json
echo "searching ..." >&2
$nigh search $index "$queries" -k 10 --exact --threads 0 --out $out/truth.ivecs \
    --json >$out/exact.json
$nigh search $index "$queries" -k 10 --ef 64,128,256,512 --threads 1 --truth $out/truth.ivecs \
    >$out/search.tsv

echo
echo "Nearest words (cosine distance):"
for word in king paris coffee python; do
    printf '  %-8s' "$word"
    $nigh near $index $word -k 6 --json | python3 -c '
import json, sys
hits = json.load(sys.stdin)["hits"]
print("  ".join("%s %.3f" % (hit["key"], hit["distance"]) for hit in hits))'
done

echo
echo "1,000 held-out words searched in the mapped file, one thread, against exact search:"
awk 'NR == 1 { printf "  %6s %10s %12s %10s %10s %12s\n", $1, "recall@10", "queries/s", "p50 us",
               "p99 us", "distances" }
     NR > 1  { printf "  %6s %10.4f %12d %10.0f %10.0f %12.0f\n", $1, $2, $3, $4, $5, $6 }' \
    $out/search.tsv
echo
python3 - $out/build.json $out/exact.json <<'EOF'
import json, sys
build, exact = (json.load(open(path)) for path in sys.argv[1:])
print("  words       {:,} x {} f32, M {}, ef_build {}".format(
    build["count"], build["dim"], build["m"], build["ef_build"]))
print("  build       {:.1f} s on one thread, kernels {}".format(build["build_s"], build["kernel"]))
print("  file        {:,} bytes, saved in {:.2f} s".format(build["file_bytes"], build["save_s"]))
print("  exact       {:,.0f} queries/s on {} threads".format(exact["qps"], exact["threads"]))
EOF
echo "  sha256      $($nigh sha $index | cut -d' ' -f1)  (the same on every machine)"
