# shellcheck shell=bash disable=SC2154 # `cache` is set by library.sh, which ./test sources first.
# Finds the tests that cannot run here, by the needs that their #[ignore] reasons name (tests/kit/needs.rs).

# Sentences for the summary, and options for the test programs.
left_out=()
skip=()

# Prints the names of the tests that need NEED.
tests_that_need() { # NEED
    find tests src -name '*.rs' -exec awk -v need="$1" '
        /^ *#\[ignore = "needs / {
            reason = $0
            sub(/^.*"needs /, "", reason)
            sub(/: run .*/, "", reason)
            gsub(/ and |, /, "|", reason)
            names_it = index("|" reason "|", "|" need "|")
        }
        names_it && match($0, /fn [a-z0-9_]+/) {
            print substr($0, RSTART + 3, RLENGTH - 3)
            names_it = 0
        }' {} +
}

# Leaves out the tests that need NEED, each by its name.
leave_out() { # NEED WHY
    local name names
    names=$(tests_that_need "$1")
    [[ -n $names ]] || fail "no test needs $1"
    for name in $names; do
        left_out+=("$name (needs $1: $2)")
        skip+=(--skip "$name")
    done
}

# Prints why systemd cannot be booted in its own namespaces; prints nothing if it can. Not every container lets root do
# this.
why_no_systemd() { # ROOT PACKAGE
    ((EUID == 0)) || { echo "that needs root"; return; }
    local groups group said
    groups=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/mounts)
    [[ -n $groups ]] || { echo "there is no cgroup2"; return; }
    group=$(mktemp -d "$groups/logator-test-XXXXXX" 2>/dev/null) || { echo "no control group can be made"; return; }
    mkdir -p "$1" "$2/etc" "$2/usr"
    # shellcheck disable=SC2016 # $0 and $@ are the inner shell's.
    said=$(timeout -k 5 60 sh -c 'echo $$ >"$0/cgroup.procs" && exec unshare -m -p -i -u -n -C -f --kill-child "$@"' \
        "$group" sh -c "$(<tests/kit/boot.sh)" boot.sh "$1" "$2" "$group" exit.target 2>&1 </dev/null) ||
        echo "it does not boot here: $(tail -n 1 <<<"$said")"
    for _ in $(seq 100); do
        find "$group" -mindepth 1 -depth -type d -exec rmdir {} + 2>/dev/null
        ! rmdir "$group" 2>/dev/null || break
    done
}

# Prints why no Docker Engine can be started in its own namespaces; prints nothing if a container runs in it.
why_no_dockerd() { # FOLDER
    ((EUID == 0)) || { echo "that needs root"; return; }
    local place inside group=logator-test-$$ said=
    mkdir -p "$1"
    unshare -p -m -f --kill-child --mount-proc sh "$PWD/tests/kit/dockerd.sh" place "$LOGATOR_TEST_DOCKER" >"$1/log" 2>&1 &
    place=$!
    for _ in $(seq 50); do
        inside=$(cat "/proc/$place/task/$place/children" 2>/dev/null) || break
        [[ -z $inside || $(cat "/proc/${inside% }/comm") != tini-static ]] || break
        sleep 0.1
    done
    if [[ -n ${inside:-} ]]; then
        nsenter -t "${inside% }" -p -m sh "$PWD/tests/kit/dockerd.sh" engine "$LOGATOR_TEST_DOCKER" "$1" "$group" >>"$1/log" 2>&1 &
        for _ in $(seq 100); do
            [[ ! -S $1/docker.sock ]] || break
            sleep 0.1
        done
        said=$(run_container "$1" 2>&1) || true
    fi
    kill -9 "$place" 2>/dev/null || true
    wait "$place" 2>/dev/null || true
    find /sys/fs/cgroup -depth -path "*/$group*" -type d -exec rmdir {} + 2>/dev/null || true
    [[ $said == *runs ]] || echo "no container runs here: $(printf '%s\n%s\n' "$(tail -n 1 "$1/log")" "$said" | tail -n 1)"
}

run_container() { # FOLDER
    local docker=("$LOGATOR_TEST_DOCKER/usr/bin/docker" --host "unix://$1/docker.sock")
    timeout 60 "${docker[@]}" import "$LOGATOR_TEST_DOCKER/image.tar" logator-test:1 &&
        timeout 60 "${docker[@]}" run --rm --network none logator-test:1 echo runs
}

# Succeeds if a file can be mounted as a disk. Unmounts it again.
has_loop_devices() { # FOLDER
    mkdir -p "$1/at" && truncate -s 16M "$1/image" && PATH=$PATH:/usr/sbin:/sbin mkfs.ext4 -q "$1/image" &&
        mount -o loop "$1/image" "$1/at" && umount "$1/at"
} 2>/dev/null

say "looking which tests cannot run here"
work=$(mktemp -d)
temporary+=("$work")
if [[ -n ${LOGATOR_TEST_MONGODB:-} && -z ${LOGATOR_TEST_MONGOD:-} ]]; then
    leave_out "a mongod of its own" "LOGATOR_TEST_MONGODB is there to store into alone; set LOGATOR_TEST_MONGOD too"
fi
if [[ -n ${LOGATOR_TEST_ELASTICSEARCH:-} && -z ${LOGATOR_TEST_OPENSEARCH:-} ]]; then
    leave_out "an OpenSearch of its own" \
        "LOGATOR_TEST_ELASTICSEARCH is there to store into alone; set LOGATOR_TEST_OPENSEARCH too"
fi
if [[ -n ${LOGATOR_TEST_KAFKA:-} && -z ${LOGATOR_TEST_KAFKA_HOME:-} ]]; then
    leave_out "a Kafka of its own" "LOGATOR_TEST_KAFKA is there to write and read alone; set LOGATOR_TEST_KAFKA_HOME too"
fi
if [[ -n ${DOCKER_HOST:-} ]]; then
    why="DOCKER_HOST is there to start containers in alone; without it, root has an Engine for each test"
else
    why=$(why_no_dockerd "$work/docker")
    [[ -z $why ]] || leave_out "a Docker" "$why"
fi
[[ -z $why ]] || leave_out "a dockerd of its own" "$why"
why=$(why_no_systemd "$work/root" "$work/package")
[[ -z $why ]] || leave_out "a systemd of its own" "$why"
if ((EUID != 0)); then
    leave_out root "this user is not root"
    left_out+=("a part of accounts::, crash::disks and crash::soak: their small disk (needs root; a limit on files takes its place)")
else
    unshare -m true 2>/dev/null || leave_out "mount namespaces" "unshare -m fails"
    has_loop_devices "$work" || leave_out "loop devices" "no file can be mounted as a disk"
fi
(($(</proc/sys/net/ipv4/ip_unprivileged_port_start) > 514)) ||
    leave_out "privileged ports" "here everybody may have every port"
for shell in zsh fish; do
    command -v "$shell" >/dev/null || leave_out "$shell" "$shell is not installed"
done
# systemd-analyze can judge units that are not running since version 250.
systemd_version=$(systemd-analyze --version | awk 'NR == 1 { print $2 + 0 }')
if ((systemd_version < 250)); then
    leave_out systemd-analyze "250 or later; here is $systemd_version"
elif ((systemd_version != 252)); then
    left_out+=("a part of services_stay_as_closed_as_the_documentation_says: exposures (needs systemd 252; here is $systemd_version)")
fi
rm -rf "$work"
