# shellcheck shell=bash disable=SC2154 # `cache` is set by library.sh, which ./test sources first.
# A real OpenSearch node from Maven's central repository. Each jar has a hash that is checked.

opensearch_version=2.19.1

get_opensearch() {
    get_jars "$folder/tests/setup/opensearch" OpenSearch
    javac -d result/node -cp 'result/jars/*' "$folder/tests/setup/opensearch/OpenSearchNode.java"
}

if needs_opensearch; then
    folder=$PWD
    make_once "$cache/opensearch-$opensearch_version" \
        "downloading an OpenSearch for the tests with Maven ($opensearch_version, 95 jars, 53 MB)" get_opensearch
    export LOGATOR_TEST_OPENSEARCH=$cache/opensearch-$opensearch_version
fi
