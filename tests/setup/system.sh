# shellcheck shell=bash disable=SC2154 # `cache` is set by library.sh, which ./test sources first.
# System packages: those that are missing are installed with apt-get, each with the reason.

packages=()
need() { # PACKAGE WHY
    printf 'missing: %s (%s)\n' "$1" "$2"
    packages+=("$1")
}

# Whether a MongoDB has to be downloaded.
needs_mongod() { [[ -z ${LOGATOR_TEST_MONGODB:-} && -z ${LOGATOR_TEST_MONGOD:-} ]]; }

# Whether an OpenSearch has to be downloaded.
needs_opensearch() { [[ -z ${LOGATOR_TEST_ELASTICSEARCH:-} && -z ${LOGATOR_TEST_OPENSEARCH:-} ]]; }

# Whether a Kafka has to be downloaded.
needs_kafka() { [[ -z ${LOGATOR_TEST_KAFKA:-} && -z ${LOGATOR_TEST_KAFKA_HOME:-} ]]; }

# Whether a schema registry has to be downloaded.
needs_registry() { [[ -z ${LOGATOR_TEST_REGISTRY:-} && -z ${LOGATOR_TEST_REGISTRY_HOME:-} ]]; }

say "looking at what is here"
command -v cargo >/dev/null || fail "cargo is missing: install Rust first (https://rustup.rs)"
command -v cc >/dev/null || need gcc "links every Rust program, compiles SQLite and PCRE2"
command -v c++ >/dev/null || need g++ "compiles ZeroMQ, which is C++"
[[ -e /usr/include/stdlib.h ]] || need libc6-dev "C headers"
command -v make >/dev/null || need make "builds C libraries"
[[ -e /usr/include/openssl/ssl.h ]] || need libssl-dev "OpenSSL, which the Kafka client and the probes are linked to"
command -v pkg-config >/dev/null || need pkg-config "finds OpenSSL"
command -v openssl >/dev/null || need openssl "makes the certificates of the TLS tests"
command -v dpkg-shlibdeps >/dev/null || need dpkg-dev "finds out what the Debian package depends on"
command -v man >/dev/null || need man-db "reads the man pages"
command -v systemd-analyze >/dev/null || need systemd "judges the units, and runs them in a namespace of its own"
python_lacks=
if ! command -v python3 >/dev/null; then
    need python3 "unpacks the MongoDB of the tests, runs the old REQ client"
    python_lacks=yes
fi
# On Debian, `python3 -m venv` can be installed without ensurepip, and then it makes folders without pip.
if [[ -n $python_lacks ]] || ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
    need python3-venv "a private place for pyzmq and fastavro, and pip"
fi
if needs_mongod && ! ldconfig -p 2>/dev/null | grep -q 'libcurl\.so\.4 ' && ! ls /usr/lib/*/libcurl.so.4 >/dev/null 2>&1; then
    need libcurl4 "the MongoDB of the tests is linked to it"
fi
if needs_opensearch || needs_kafka || needs_registry; then
    command -v mvn >/dev/null || need maven "downloads the OpenSearch, the Kafka and the schema registry of the tests"
fi
if needs_opensearch || [[ -n ${LOGATOR_TEST_OPENSEARCH:-} ]]; then
    command -v javac >/dev/null || need default-jdk-headless "runs the OpenSearch of the tests, and compiles its start"
elif needs_kafka || needs_registry || [[ -n ${LOGATOR_TEST_KAFKA_HOME:-}${LOGATOR_TEST_REGISTRY_HOME:-} ]]; then
    command -v java >/dev/null || need default-jre-headless "runs the Kafka and the schema registry of the tests"
fi
# These two are installed and not unpacked: they are plain clients without a service, and apt-get knows their libraries.
command -v kcat >/dev/null || need kcat "a Kafka client that is independent of this project, beside the Kafka source and sink"
command -v curl >/dev/null || need curl "times requests beside logator-probe"

if ((${#packages[@]})); then
    command -v apt-get >/dev/null || fail "please install: ${packages[*]} (this is no Debian, so apt-get cannot do it)"
    say "installing with apt-get: ${packages[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}"
fi

for component in rustfmt clippy; do
    command=cargo-${component/rustfmt/fmt}
    if ! command -v "$command" >/dev/null || ! "$command" --version >/dev/null 2>&1; then
        command -v rustup >/dev/null || fail "$component is missing, and there is no rustup to add it with"
        say "installing with rustup: $component (checks the code)"
        rustup component add "$component"
    fi
done
