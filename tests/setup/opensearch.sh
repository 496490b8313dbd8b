# shellcheck shell=bash disable=SC2154 # `cache` is set by library.sh, which ./test sources first.
# A real OpenSearch node from Maven's central repository. Each jar has a hash that is checked.

opensearch_version=2.19.1

get_opensearch() {
    local sources=$folder/tests/setup/opensearch
    mkdir result
    # The repository of this user stays as it is.
    mvn -q -B -f "$sources/pom.xml" -Dmaven.repo.local="$PWD/repository" \
        -Dstyle.color=never dependency:copy-dependencies -DoutputDirectory="$PWD/result/jars" </dev/null
    (cd result/jars && sha256sum --check --strict --quiet "$sources/jars.sha256") ||
        fail "a jar of OpenSearch is not the one that tests/setup/opensearch/jars.sha256 names"
    [[ $(find result/jars -type f | wc -l) == $(wc -l <"$sources/jars.sha256") ]] ||
        fail "OpenSearch has a jar that tests/setup/opensearch/jars.sha256 does not name"
    javac -d result/node -cp 'result/jars/*' "$sources/OpenSearchNode.java"
}

if needs_opensearch; then
    folder=$PWD
    make_once "$cache/opensearch-$opensearch_version" \
        "downloading an OpenSearch for the tests with Maven ($opensearch_version, 95 jars, 53 MB)" get_opensearch
    export LOGATOR_TEST_OPENSEARCH=$cache/opensearch-$opensearch_version
fi
