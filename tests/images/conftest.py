"""Images built from their Dockerfiles, and containers of them."""

import json

import pytest

from tests.images import builder
from tests.images.builder import buildah


@pytest.fixture(scope="session")
def built():
    """Build an image under a tag; what was said of it."""
    return builder.build


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
