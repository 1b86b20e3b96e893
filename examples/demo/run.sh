#!/bin/sh
# The main job, start to finish, on text that this Python installation brings: docstrings, comments and manuals.
# Run it again and it continues where it stopped; remove the folder demo/ to begin anew.
set -eu
say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
run() { say "\$ $*"; "$@"; }
MINUTES=${MINUTES:-5}

[ -d demo/text ] || run python -W ignore examples/demo/collect_text.py demo/text
[ -d demo/vocabulary ] || run electra vocab demo/text --out demo/vocabulary --size 4096
run electra prepare demo/text --tokenizer demo/vocabulary --out demo/corpus --held-out 0.02
run electra pretrain demo/corpus demo/run --preset tiny --minutes "$MINUTES"

say "Which of these words don't belong? Each word with its probability, in percent, of having been replaced (the last sentence has no wrong word):"
electra inspect demo/run \
    "Return the number of items in the because." \
    "This function is called when the file therefore been closed." \
    "If the value is not a string, an exception is number." \
    "The method must be called before the file is purple." \
    "The first argument must be a list of integers."
run electra report demo/run

say "What there is now, and what to try next"
cat <<'END'
  demo/text         the prose it learned from          demo/vocabulary   4,096 word pieces
  demo/corpus       the same as token ids              demo/run          metrics, checkpoints, discriminator/ and generator/
  demo/run/report.html   the curves of the run: open it in a browser

  electra inspect demo/run "your own sentence here"    look at a text
  MINUTES=30 make demo                                 a longer run (remove demo/run first)
  electra vocab YOUR_TEXTS --out vocabulary            begin with your own text: README.md, "Your own text"
END
