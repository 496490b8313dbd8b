# shellcheck shell=bash disable=SC2154 # `cache` is set by library.sh, which ./test sources first.
# Debian's Docker Engine and an image for it. They are unpacked and not installed, because an installed Engine would run
# on this machine as a service and change its firewall.

# Where the Engine of the user is used, only the command line and the image of this folder are.
needs_docker() { [[ -z ${LOGATOR_TEST_DOCKER:-} ]] && { ((EUID == 0)) || [[ -n ${DOCKER_HOST:-} ]]; }; }

get_docker() {
    unpack_debs docker.io containerd runc tini busybox-static -- docker-cli libdevmapper1.02.1 libseccomp2 libsystemd0 libudev1
    mkdir -p result/usr/bin result/usr/lib image/bin image/tmp
    local name found
    for name in dockerd docker containerd containerd-shim-runc-v2 runc tini-static busybox; do
        found=$(find unpacked -name "$name" -type f -path '*bin/*' -print -quit)
        [[ -n $found ]] || fail "there is no $name in Debian's packages"
        cp "$found" "result/usr/bin/$name"
    done
    for found in unpacked/lib/*-linux-gnu unpacked/usr/lib/*-linux-gnu; do
        [[ ! -d $found ]] || cp -r "$found" result/usr/lib/
    done
    # An image comes from a registry or from an archive; there is no registry here.
    mv result/usr/bin/busybox image/bin/
    for name in $(image/bin/busybox --list); do
        [[ -e image/bin/$name ]] || ln -s busybox "image/bin/$name"
    done
    tar -C image --owner=0 --group=0 -cf result/image.tar .
}

if needs_docker; then
    make_once "$cache/docker-1" \
        "unpacking Debian's Docker Engine and busybox (for the source docker:, some 65 MB)" get_docker
    export LOGATOR_TEST_DOCKER=$cache/docker-1
fi
