"""Images built from their Dockerfiles on a Debian of our own: buildah, in a chroot, with no image registry."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.images.builder import buildah

ROOT = Path(__file__).parents[2]
BASE = "localhost/trimtab-base:test"


@pytest.fixture(scope="session")
def base():
    """Debian's minimal system with its Python, as an image."""
    from tests.cluster.kube.cache import home
    from tests.cluster.kube.images_base import base
    from tests.cluster.kube.images_oci import Layers
    from tests.cluster.kube.node_debian import unpacked

    layer = base(Layers(home() / "images", print), unpacked())
    container = buildah("from", "scratch")
    try:
        buildah("add", "-q", container, str(layer.tar), "/")
        buildah("commit", "-q", "--timestamp", "0", container, BASE)
    finally:
        buildah("rm", container)
    return BASE


@pytest.fixture(scope="session")
def built(base):
    """Build an image under a tag; what was said of it."""

    def build(word, tag, extras=""):
        command = [sys.executable, "manifests/images/build.py", word, "--base", base, "--tag", tag]
        command += ["--extras", extras] if extras else []
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout.splitlines()[-1]

    return build


@pytest.fixture(scope="session", params=["operator", "serving"])
def image(request, built):
    """(word, name, what its build said) of each image."""
    said = built(request.param, "test")
    return request.param, f"localhost/trimtab-{request.param}:test", said


@pytest.fixture
def inside(image):
    """Run a command in a container of the image, as the user that it names."""
    container = buildah("from", "--pull-never", image[1])
    try:
        yield lambda *command: buildah("run", "--isolation", "chroot", container, "--", *command)
    finally:
        buildah("rm", container)


@pytest.fixture
def bill(inside):
    return json.loads(inside("cat", "/opt/trimtab/sbom.cdx.json"))
