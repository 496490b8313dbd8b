#!/bin/sh
# systemd's journal → a store: what has come since the last time, again and again. The arguments are the command that stores.
#
#   contrib/journal.sh logator run --quiet --format ndjson --to mongodb://localhost/logs.journal
#
# What is on its way stays in a file until it is stored, and only then the place in the journal moves on. So nothing is lost,
# whatever is killed, and what is stored a second time meets its own documents (they have the same _id).
#
# Not `-o export`: there an entry is several lines, and a field that holds a newline is a length in binary. With `-o json` an
# entry is a line, which is what logator takes; the fields and their values are the same. (Bytes that are no text are a list
# of numbers.) --all, because fields over 4096 bytes would be null without it.
#
# Without a file, from now on, and with what comes while it does not run left out:
#
#   journalctl -o json --all --follow --lines=0 | logator-push journal --raw --bind tcp://127.0.0.1:5515
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
        journalctl --output=json --all --quiet --no-pager --cursor-file=next/place ${JOURNALCTL_OPTIONS:-} >next/entries
        mv next batch # Entries and the place behind them at once.
    fi
    if [ -s batch/entries ]; then
        "$@" <batch/entries || [ $? = 1 ] # 1: some are dead letters.
    fi
    ! [ -e batch/place ] || mv batch/place place
    rm -r batch
    sleep "${JOURNAL_INTERVAL:-1}"
done
