# shellcheck shell=bash disable=SC2154 # `cache` and `venv` are set by library.sh and python.sh, which ./test sources first.
# kubernetes-validate checks manifests against the schemas of Kubernetes, which it brings (108 MB).

kubernetes_validate_version=1.37.0

get_kubernetes_validate() {
    "$venv/bin/python" -m pip install -q --disable-pip-version-check --target result \
        "kubernetes-validate==$kubernetes_validate_version" jsonschema==4.26.0 PyYAML==6.0.4
}

if [[ -z ${LOGATOR_TEST_KUBERNETES_VALIDATE:-} ]]; then
    make_once "$cache/kubernetes-validate-$kubernetes_validate_version" \
        "installing kubernetes-validate $kubernetes_validate_version (checks the manifest in contrib)" get_kubernetes_validate
    export LOGATOR_TEST_KUBERNETES_VALIDATE=$cache/kubernetes-validate-$kubernetes_validate_version
fi
