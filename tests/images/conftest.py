"""Images built from their Dockerfiles, and containers of them."""

import json
import os

import pytest

from tests.images import builder
from tests.images.builder import buildah

SAID = pytest.StashKey()


@pytest.fixture(scope="session")
def built(pytestconfig):
    """Build an image under a tag; what was said of it, which the run's end tells too."""
    told = pytestconfig.stash.setdefault(SAID, [])

    def build(*arguments, **more):
        told.append(builder.build(*arguments, **more))
        return told[-1]

    return build


def pytest_terminal_summary(terminalreporter, config):
    if told := config.stash.get(SAID, []):
        terminalreporter.section("images")
        for line in told:
            terminalreporter.write_line(line)


WORDS = ["operator", "serving", *(["trimtab"] if os.environ.get("TRIMTAB_IMAGES") == "whole" else [])]
"""With torch, the third takes up to 40 GB while it is built and looked at: on request, and not kept."""


@pytest.fixture(scope="session", params=WORDS)
def image(request, built):
    """(word, name, what its build said) of each image."""
    word = request.param
    name = "localhost/trimtab:whole" if word == "trimtab" else f"localhost/trimtab-{word}:test"
    said = built(word, name.rpartition(":")[2])
    yield word, name, said
    if word == "trimtab":
        buildah("rmi", name)


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
