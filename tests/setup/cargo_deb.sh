# shellcheck shell=bash disable=SC2154 # `cache` is set by library.sh, which ./test sources first.
# cargo-deb builds the Debian package; it takes 50 seconds of a processor, once.

cargo_deb_version=3.8.0

get_cargo_deb() {
    CARGO_TARGET_DIR=$PWD/target cargo install cargo-deb --quiet --locked --version "$cargo_deb_version" \
        --no-default-features --features lzma,static-lzma --profile dev --no-track --root result
}

if [[ -z ${LOGATOR_TEST_CARGO_DEB:-} ]]; then
    make_once "$cache/cargo-deb-$cargo_deb_version" \
        "building cargo-deb $cargo_deb_version (makes the Debian package)" get_cargo_deb
    export LOGATOR_TEST_CARGO_DEB=$cache/cargo-deb-$cargo_deb_version/bin/cargo-deb
fi
