"""buildah, asked; and this tree's images, built from their Dockerfiles on a Debian of our own, with no registry."""

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

from tests.cluster.kube.errors import ClusterToolFailed

ROOT = Path(__file__).parents[2]
BASE = "localhost/trimtab-base"
FOLDERS = ("src", "components", "pipelines", "examples/flights", "operators", "manifests/images")
FILES = ("pyproject.toml", "README.md", "LICENSE", "requirements.lock", ".dockerignore")


def buildah(*arguments: str) -> str:
    """What it answers on standard output.

    Raises:
        ClusterToolFailed: it is not here.
    """
    if shutil.which("buildah") is None:
        raise ClusterToolFailed(
            "these tests build and unpack images with buildah, which is not on the PATH",
            remedy="as root: apt-get install buildah crun (Debian, Ubuntu), or dnf install buildah",
        )
    done = subprocess.run(["buildah", *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"buildah {' '.join(arguments)}\n{done.stdout}\n{done.stderr}"
    return done.stdout.strip()


def base() -> str:
    """Debian's minimal system with its Python, as an image; its name, in which the content's digest stands."""
    from tests.cluster.kube.cache import home
    from tests.cluster.kube.images_base import base
    from tests.cluster.kube.images_oci import Layers
    from tests.cluster.kube.node_debian import unpacked

    layer = base(Layers(home() / "images", print), unpacked())
    name = f"{BASE}:{layer.digest[:12]}"
    if name in buildah("images", "--format", "{{.Name}}:{{.Tag}}").splitlines():
        return name
    container = buildah("from", "scratch")
    try:
        buildah("add", "-q", container, str(layer.tar), "/")
        buildah("commit", "-q", "--timestamp", "0", container, name)
    finally:
        buildah("rm", container)
    return name


def build(word: str, tag: str, extras: str = "", root: Path = ROOT, *, anew: bool = True) -> str:
    """Build an image under a tag; what was said of it.

    Args:
        root: the tree that it is made of.
        anew: no layer that is kept is taken.
    """
    command = [sys.executable, "manifests/images/build.py", word, "--base", base(), "--tag", tag]
    command += ["--extras", extras] if extras else []
    command += ["--no-cache"] if anew else []
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout.splitlines()[-1]


def of_this_tree(word: str, extras: str = "") -> str:
    """The image's name, its tag a digest of what it is made of: built where that changed, older ones removed."""
    name = "localhost/trimtab" if word == "trimtab" else f"localhost/trimtab-{word}"
    tag = f"tree-{_content(extras)}"
    held = buildah("images", "--format", "{{.Name}}:{{.Tag}}").splitlines()
    if f"{name}:{tag}" not in held:
        build(word, tag, extras, anew=False)
        for stale in held:
            if stale.startswith(f"{name}:tree-"):
                buildah("rmi", stale)
    return f"{name}:{tag}"


def _content(extras: str) -> str:
    from tests.cluster.kube.images_oci import file_digest, tree_digest

    found = [
        tree_digest(*(ROOT / folder for folder in FOLDERS)),
        *(file_digest(ROOT / name) for name in FILES),
    ]
    return hashlib.sha256(" ".join([extras, *found]).encode()).hexdigest()[:16]
