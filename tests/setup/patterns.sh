# shellcheck shell=bash disable=SC2154 # `cache` is set by library.sh, which ./test sources first.
# The well-known pattern files, unchanged. The comparisons of grok with other engines use them.

patterns_version=21.1.0
patterns_hash=sha256:b1fe3fb6323ef045fcf9e90e377a08374dbdb5a284a521d0feb4016ebf52f395

get_patterns() {
    unpack_wheel logprep "$patterns_version" "$patterns_hash" --only-binary :all: --python-version 3.12
    mv unpacked/logprep/util/grok/patterns result
}

make_once "$cache/patterns-$patterns_version" \
    "downloading well-known pattern files (logprep $patterns_version, 1 MB)" get_patterns
export LOGATOR_TEST_PATTERNS=$cache/patterns-$patterns_version
