# shellcheck shell=bash disable=SC2154 # `cache` is set by library.sh, which ./test sources first.
# A private Python with pyzmq, which is libzmq for the old Python peers, with fastavro, which reads Avro independently of this
# project, and with pip for the other scripts.

# For Python 3.11, 3.12 and later, on x86-64.
pyzmq_version=27.1.0
pyzmq_hashes=(
    sha256:43ad9a73e3da1fab5b0e7e13402f0b2fb934ae1c876c51d0afff0e7c052eca31
    sha256:5bbf8d3630bf96550b3be8e1fc0fea5cbdc8d5466c1192887bd94869da17a63e
)
# For Python 3.11, 3.12, 3.13 and 3.14, on x86-64.
fastavro_version=1.13.1
fastavro_hashes=(
    sha256:950f2e260f65c7e6135288c142b078d06d2f1c90fc52f91a14c08e5f8811bf06
    sha256:2f56a127d71e45083306d2650efff827cad0f4b0744dd42cb69c631d77943b1d
    sha256:e3d7e0850230a9af977184dd0677e2bc6341659835d55a73a2fa76c7d2d2d65e
    sha256:28305b4e0764f362cffe5bb6993021d584c050d49256f153d1f46ee4fb188ba8
)

# The virtual environment is made at its final path, because it contains that path. If pip works in it, it is complete.
venv=$cache/venv
if ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    say "making a private Python in $venv"
    rm -rf "$venv"
    python3 -m venv "$venv"
fi

# Installs a package of this version into the private Python unless it is there.
install_wheel() { # MODULE PACKAGE VERSION WHY HASH...
    if "$venv/bin/python" -c "import $1, sys; sys.exit($1.__version__ != '$3')" 2>/dev/null; then
        return
    fi
    say "installing $2 $3 into it ($4)"
    local hashes=("${@:5}")
    echo "$2==$3 ${hashes[*]/#/--hash=}" >"$cache/$2.txt"
    "$venv/bin/python" -m pip install -q --disable-pip-version-check --only-binary :all: --no-deps --require-hashes \
        --requirement "$cache/$2.txt"
}

install_wheel zmq pyzmq "$pyzmq_version" "the old peers of the one-line dialogue" "${pyzmq_hashes[@]}"
install_wheel fastavro fastavro "$fastavro_version" "reads what the Kafka sink writes" "${fastavro_hashes[@]}"
export LOGATOR_TEST_PYTHON=$venv/bin/python
