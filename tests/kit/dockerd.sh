# Makes the place of a Docker Engine, or runs the Engine in it. Everything that it needs is in FOLDER, as
# tests/setup/docker.sh has unpacked it, and everything that it keeps is in DATA.
#
#   unshare -p -m -f --kill-child --mount-proc sh dockerd.sh place FOLDER
#   nsenter -t PID -p -m sh dockerd.sh engine FOLDER DATA PARENT [OPTION...]
#
# The place is a process namespace: when its first process ends, the Engine and all containers end. PARENT is the control
# group of the containers.
set -eu
what=$1
folder=$2
shift 2
PATH=$folder/usr/bin:$PATH:/usr/sbin:/sbin
for libraries in "$folder"/usr/lib/*-linux-gnu; do
    LD_LIBRARY_PATH=$libraries${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}
done
export PATH LD_LIBRARY_PATH
case $what in
place)
    # The sockets of containers' shims have fixed names in /run, whatever the Engine is told.
    mount -t tmpfs run /run
    exec tini-static -- sleep infinity
    ;;
engine)
    data=$1
    parent=$2
    shift 2
    # The configuration of this machine's own Engine is not used.
    echo '{}' >"$data/daemon.json"
    exec dockerd --config-file "$data/daemon.json" --data-root "$data/data" --exec-root "$data/exec" \
        --pidfile "$data/pid" --host "unix://$data/docker.sock" --group 0 --storage-driver vfs \
        --iptables=false --ip6tables=false --bridge none \
        --exec-opt native.cgroupdriver=cgroupfs --cgroup-parent "$parent" "$@"
    ;;
esac
