# shellcheck shell=bash disable=SC2154 # `cache` is set by library.sh, which ./test sources first.
# Debian's logrotate. It is unpacked and not installed, because an installed logrotate would rotate the logs of this
# machine.

get_logrotate() {
    unpack_debs logrotate -- libpopt0 libpopt0t64 libacl1 libacl1t64 libselinux1 libselinux1t64
    cat >unpacked/logrotate <<'END'
#!/bin/sh
here=$(dirname "$0")
LD_LIBRARY_PATH=$(echo "$here"/lib/*-linux-gnu):$(echo "$here"/usr/lib/*-linux-gnu) exec "$here/usr/sbin/logrotate" "$@"
END
    chmod +x unpacked/logrotate
    mv unpacked result
}

if [[ -z ${LOGATOR_TEST_LOGROTATE:-} ]]; then
    LOGATOR_TEST_LOGROTATE=$(PATH=$PATH:/usr/sbin command -v logrotate || echo "$cache/logrotate/logrotate")
    [[ -x $LOGATOR_TEST_LOGROTATE ]] || make_once "$cache/logrotate" \
        "unpacking Debian's logrotate (for tests of --follow)" get_logrotate
fi
export LOGATOR_TEST_LOGROTATE
