#!/bin/sh
# systemd's journal → logator: from where the last time ended, and on. ARGUMENTS are those of logator-push.
#
#   contrib/journal.sh journal --bind tcp://127.0.0.1:5515
#   logator-worker --from pull+tcp://127.0.0.1:5515 --format ndjson --to mongodb://localhost/logs.journal
#
# Not `-o export`: there, an entry is several lines, and a field that holds a newline is a length in binary. With `-o json`
# an entry is a line, which is what logator takes; the fields and their values are the same. --all, because fields over
# 4096 bytes would be null without it.
#
# Past entries, once, need no logator-push: journalctl -o json --all --no-pager | logator run -f ndjson --to …
set -eu
state=${STATE_DIRECTORY:-${XDG_STATE_HOME:-$HOME/.local/state}/logator}
mkdir -p "$state"
journalctl --output=json --all --follow --no-tail --cursor-file="$state/journal.cursor" ${JOURNALCTL_OPTIONS:-} |
    exec logator-push --raw "$@"
