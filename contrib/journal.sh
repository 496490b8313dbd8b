#!/bin/sh
# systemd's journal → a store. A loop stores the entries that are new since the last round. The arguments are the command that
# stores them.
#
#   contrib/journal.sh logator run --quiet --format ndjson --to mongodb://localhost/logs.journal
#
# A file keeps the entries until they are stored. Only then does the script advance the cursor of the journal. Therefore no kill
# loses an entry. An entry that is stored twice gives the same document, because the _id is the same.
#
# logator recognises an export and makes each entry one line: the JSON object of `journalctl -o json --all`.
#
# A shorter way needs no file. It starts with the next entry, and misses the entries of the times when it does not run:
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
        # JOURNALCTL_OPTIONS selects entries, for example --unit=nginx.service or --priority=warning.
        journalctl --output=export --quiet --no-pager --cursor-file=next/place ${JOURNALCTL_OPTIONS:-} >next/entries
        mv next batch # The entries and the cursor behind them become valid together.
    fi
    if [ -s batch/entries ]; then
        "$@" <batch/entries || [ $? = 1 ] # 1: some lines are dead letters.
    fi
    ! [ -e batch/place ] || mv batch/place place
    rm -r batch
    sleep "${JOURNAL_INTERVAL:-1}"
done
