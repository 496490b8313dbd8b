# shellcheck shell=bash disable=SC2154 # `cache` is set by library.sh, which ./test sources first.
# A private Python with pyzmq: libzmq for the old Python peers, and pip for the other scripts.

# For Python 3.11, 3.12 and later, on x86-64.
pyzmq_version=27.1.0
pyzmq_hashes=(
    sha256:43ad9a73e3da1fab5b0e7e13402f0b2fb934ae1c876c51d0afff0e7c052eca31
    sha256:5bbf8d3630bf96550b3be8e1fc0fea5cbdc8d5466c1192887bd94869da17a63e
)

# The virtual environment is made at its final path, because it contains that path. If pip works in it, it is complete.
venv=$cache/venv
if ! "$venv/bin/python" -c 'import pip' 2>/dev/null; then
    say "making a private Python in $venv"
    rm -rf "$venv"
    python3 -m venv "$venv"
fi
if ! "$venv/bin/python" -c "import zmq, sys; sys.exit(zmq.__version__ != '$pyzmq_version')" 2>/dev/null; then
    say "installing pyzmq $pyzmq_version into it (the old peers of the one-line dialogue)"
    echo "pyzmq==$pyzmq_version ${pyzmq_hashes[*]/#/--hash=}" >"$cache/pyzmq.txt"
    "$venv/bin/python" -m pip install -q --disable-pip-version-check --only-binary :all: --no-deps --require-hashes \
        --requirement "$cache/pyzmq.txt"
fi
export LOGATOR_TEST_PYTHON=$venv/bin/python
