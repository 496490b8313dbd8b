# shellcheck shell=bash disable=SC2154 # `cache` is set by library.sh, which ./test sources first.
# Programs that bring lines to logator, for syslog and for the recipes of contrib. They are unpacked, never installed.

get_shippers() {
    # The libraries have different names in different releases.
    unpack_debs rsyslog rsyslog-openssl syslog-ng-core nginx -- \
        libestr0 libfastjson4 liblognorm5 libivykis0 libnet1 libwrap0 libnsl2 libtirpc3 libtirpc3t64 libgssapi-krb5-2 libkrb5-3 \
        libk5crypto3 libkrb5support0 libkeyutils1 libcom-err2 libjson-c5 libpcre3 libglib2.0-0 libglib2.0-0t64 libcap2 libssl3 \
        libssl3t64 libpcre2-8-0
    mv unpacked result
}

if [[ -z ${LOGATOR_TEST_SHIPPERS:-} ]]; then
    make_once "$cache/shippers-3" \
        "unpacking Debian's rsyslog, syslog-ng and nginx (for the recipes in contrib and for syslog, some 6 MB)" get_shippers
    export LOGATOR_TEST_SHIPPERS=$cache/shippers-3
fi
