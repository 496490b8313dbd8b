# shellcheck shell=bash disable=SC2154 # `cache` is set by library.sh, which ./test sources first.
# A real schema registry, Apicurio, which speaks the API of Confluent's. Confluent's own is not in Maven's central repository.

registry_version=2.6.13.Final
registry_hash=3cda1b34aa020fb4ac4dd6a66018d757e81e437f97e20a1f92d366b70091c6ba

get_registry() {
    local archive=apicurio-registry-app-$registry_version-all.tar.gz
    # The archive alone is downloaded: it contains everything that the registry depends on.
    mvn -q -B -Dmaven.repo.local="$PWD/repository" -Dstyle.color=never org.apache.maven.plugins:maven-dependency-plugin:2.8:copy \
        -Dartifact="io.apicurio:apicurio-registry-app:$registry_version:tar.gz:all" -DoutputDirectory="$PWD" </dev/null
    echo "$registry_hash  $archive" | sha256sum --check --strict --quiet || fail "$archive is not the one that is expected"
    mkdir result
    tar -xzf "$archive" -C result
    mv "result/apicurio-registry-app-$registry_version-runner.jar" result/registry.jar
}

if needs_registry; then
    make_once "$cache/apicurio-registry-$registry_version" \
        "downloading a schema registry for the tests with Maven (Apicurio $registry_version, 142 MB)" get_registry
    export LOGATOR_TEST_REGISTRY_HOME=$cache/apicurio-registry-$registry_version
fi
