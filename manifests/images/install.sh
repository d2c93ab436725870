#!/bin/sh
# install.sh packages EXTRAS [LEFT_OUT]: what trimtab with these extras (a,b,c) requires, without LEFT_OUT (d,e), which the
# image's process never imports, into /opt/trimtab, a virtual environment on the base's Python.
# install.sh trimtab: trimtab itself, beside them, and the bill of all.
# Every package is one of requirements.lock, its hash checked. What comes out depends on what goes in, and on no clock.
set -eu
export PYTHONHASHSEED=0 SOURCE_DATE_EPOCH=315532800 UV_NO_CACHE=1 UV_LINK_MODE=copy
# a .pth that imports (setuptools' does) would leave bytecode with a time in it, which compileall takes for its own
export PYTHONDONTWRITEBYTECODE=1
VENV=/opt/trimtab
PYTHON="$VENV/bin/python"

# how the machine that builds reaches a package index: a secret of the build, so no layer holds it
if [ -f /run/secrets/index ]; then . /run/secrets/index; fi
uv() { /opt/uv/bin/uv "$@"; }
# by content, so that no time of a file decides whether it is read; what its name says is a later Python's, not at all
# (torch has a py312_intrinsics.py, which 3.11 cannot compile and nothing of it imports there)
compiled() { "$PYTHON" -m compileall -q --invalidation-mode unchecked-hash -x '/py3[0-9]+_[^/]*\.py$' "$@"; }

packages() {
    # the base as the image will have it, before anything is added that builds
    [ ! -f /var/lib/dpkg/status ] || cp /var/lib/dpkg/status /opt/dpkg-status
    if ! python3 -m pip --version >/dev/null 2>&1; then
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends python3-pip >/dev/null
    fi
    python3 -m pip install -q --disable-pip-version-check --no-cache-dir --target /opt/uv uv==0.13.9

    echo "${2:-}" | tr ',' '\n' > /tmp/left-out
    uv venv -q --no-project --python "$(command -v python3)" "$VENV"
    uv pip install -q --python "$PYTHON" -c requirements.lock \
        --excludes /tmp/left-out -r pyproject.toml $(echo "$1" | tr ',' '\n' | sed 's/^/--extra /')

    # what nobody runs
    find "$VENV" -depth \( -name tests -o -name test \) -type d -path '*/site-packages/*' -exec rm -rf {} +
    # scipy is here for scipy.special alone, unless scikit-learn came too, which needs all of it: 70 MB less, 20 as pulled
    find "$VENV" -path '*/site-packages/scipy' -type d | while read -r scipy; do
        [ -d "$scipy/../sklearn" ] || find "$scipy" -mindepth 1 -maxdepth 1 -type d \
            ! -name special ! -name _lib ! -name _external -exec rm -rf {} +
    done
    rm -f "$VENV/.lock"
    compiled "$VENV/lib"
}

trimtab() {
    site=$(echo "$VENV"/lib/python*/site-packages)
    uv pip install -q --python "$PYTHON" --no-deps --build-constraint requirements.lock .
    # the command is for people; without what it draws with it is none
    [ -d "$site/typer" ] || rm -f "$VENV/bin/trimtab" "$VENV/bin/kubectl-trimtab"
    # what holds a time
    find "$VENV" -name uv_cache.json -delete
    sed -i "/uv_cache.json/d" "$site"/trimtab-*.dist-info/RECORD
    rm -f "$VENV/.lock"
    "$PYTHON" manifests/images/sbom.py requirements.lock /opt/dpkg-status > "$VENV/sbom.cdx.json"
    compiled "$site/trimtab"
}

"$@"
