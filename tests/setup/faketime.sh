# shellcheck shell=bash disable=SC2154 # `cache` is set by library.sh, which ./test sources first.
# A clock that can be set for one program. It is unpacked and not installed, so that no other program loads it.

get_faketime() {
    unpack_debs libfaketime
    mv unpacked result
}

find_faketime() { find /usr/lib "$cache/libfaketime" -name libfaketime.so.1 -print -quit 2>/dev/null || true; }

if [[ -z ${LOGATOR_TEST_FAKETIME:-} ]]; then
    [[ -n $(find_faketime) ]] || make_once "$cache/libfaketime" \
        "unpacking Debian's libfaketime (for tests in which the clock jumps)" get_faketime
    LOGATOR_TEST_FAKETIME=$(find_faketime)
    [[ -n $LOGATOR_TEST_FAKETIME ]] || fail "there is no libfaketime.so.1 in Debian's package"
    export LOGATOR_TEST_FAKETIME
fi
