#!/bin/sh
# The model `electra-tiny-en`, start to finish: text in, a folder under 25 MB with card and manifest out.
#
#     TEXTS="texts/*.jsonl.xz" DATA=sets sh examples/electra-tiny-en/make.sh
#
# TEXTS are the sources, or CORPUS a prepared corpus; DATA holds published data sets, GLUE's in DATA/glue. Twice MINUTES (92) go
# into pretraining: the pair, then a masked language model to hold it against. Run it again and it continues where it stopped.
set -eu
WORK=${WORK:-runs/electra-tiny-en}
CORPUS=${CORPUS:-$WORK/corpus}
MINUTES=${MINUTES:-92}
RECIPE=recipes/electra-tiny-en.toml
MODEL=$WORK/electra-tiny-en
run() { printf '\n\033[1m$ %s\033[0m\n' "$*"; "$@"; }

mkdir -p "$WORK"
if [ ! -f "$CORPUS/corpus.json" ]; then
    [ -d "$WORK/vocabulary" ] || run electra vocab $TEXTS --out "$WORK/vocabulary" --size 8192
    run electra prepare $TEXTS --tokenizer "$WORK/vocabulary" --out "$CORPUS" --held-out 0.01
fi
run electra pretrain "$CORPUS" "$WORK/run" --recipe $RECIPE --minutes "$MINUTES" ${PRETRAIN:-}
run electra pretrain "$CORPUS" "$WORK/run-mlm" --recipe $RECIPE --minutes "$MINUTES" --objective mlm ${PRETRAIN:-}
[ -d "$MODEL" ] || run electra convert "$WORK/run" "$MODEL" --dtype bfloat16
run python benchmarks/tiny_en.py "$MODEL" --run "$WORK/run" --mlm "$WORK/run-mlm" --corpus "$CORPUS" --data "$DATA" \
    --work "$WORK/measured" ${MEASURE:-}
run python benchmarks/tiny_en_card.py "$MODEL" ${RESULTS:-}
run electra verify "$MODEL"
printf '\n%s is whole. Into the package, and its numbers into docs/results.md:\n' "$MODEL"
echo "  mkdir -p src/electra/models && cp -R $MODEL src/electra/models/ && python benchmarks/tiny_en.py --table"
