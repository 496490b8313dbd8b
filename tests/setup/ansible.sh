# shellcheck shell=bash disable=SC2154 # `cache` and `venv` are set by library.sh and python.sh, which ./test sources first.
# ansible-core runs the role in contrib, and ansible-lint checks it.

ansible_core_version=2.19.4
ansible_lint_version=25.9.2

# What these two need, with versions that were tried with them.
ansible_needs=(
    ansible-compat==26.10.0 black==26.10.1 cffi==2.1.1 cryptography==50.0.2 distro==1.9.0 filelock==4.3.1
    importlib-metadata==10.2.0 jinja2==3.1.6 jsonschema==4.26.0 packaging==26.4 pathspec==1.1.1 pyyaml==6.0.4 referencing==0.37.0
    resolvelib==1.2.1 ruamel.yaml==0.19.1 subprocess-tee==0.4.2 typing-extensions==4.16.0 wcmatch==12.0.1 yamllint==1.38.0
)

get_ansible() {
    "$venv/bin/python" -m pip install -q --disable-pip-version-check --target result \
        "ansible-core==$ansible_core_version" "ansible-lint==$ansible_lint_version" "${ansible_needs[@]}"
}

if [[ -z ${LOGATOR_TEST_ANSIBLE:-} ]]; then
    make_once "$cache/ansible-$ansible_core_version-$ansible_lint_version" \
        "installing ansible-core $ansible_core_version and ansible-lint $ansible_lint_version (check the role in contrib)" get_ansible
    export LOGATOR_TEST_ANSIBLE=$cache/ansible-$ansible_core_version-$ansible_lint_version
fi
