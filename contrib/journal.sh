#!/bin/sh
# systemd's journal → a store: what has come since the last time, again and again. The arguments are the command that stores.
#
#   contrib/journal.sh logator run --quiet --format ndjson --to mongodb://localhost/logs.journal
#
# What is on its way stays in a file until it is stored, and only then the place in the journal moves on. So nothing is lost,
# whatever is killed, and what is stored a second time meets its own documents (they have the same _id).
#
# logator knows an export when it sees one, and makes each entry one line: the object that `-o json --all` would give.
#
# Without a file, from now on, and with what comes while it does not run left out:
#
#   journalctl -o export --follow --lines=0 | logator run --format ndjson --to mongodb://localhost/logs.journal
set -eu
state=${STATE_DIRECTORY:-${XDG_STATE_HOME:-$HOME/.local/state}/logator-journal}
mkdir -p "$state"
cd "$state"
while :; do
    if ! [ -d batch ]; then
        rm -rf next
        mkdir next
        ! [ -e place ] || cp place next/place
        # JOURNALCTL_OPTIONS chooses: --unit=nginx.service, --priority=warning
        journalctl --output=export --quiet --no-pager --cursor-file=next/place ${JOURNALCTL_OPTIONS:-} >next/entries
        mv next batch # Entries and the place behind them at once.
    fi
    if [ -s batch/entries ]; then
        "$@" <batch/entries || [ $? = 1 ] # 1: some are dead letters.
    fi
    ! [ -e batch/place ] || mv batch/place place
    rm -r batch
    sleep "${JOURNAL_INTERVAL:-1}"
done
