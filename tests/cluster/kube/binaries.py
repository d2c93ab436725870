"""Where a program is: $KUBEBUILDER_ASSETS, the cache, or a build from Go modules.

A build is seen by others only when it is whole: it is made in a folder of its own and renamed. One process builds
at a time; the others wait for it, and find what it made.
"""

import hashlib
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from tests.cluster.kube import golang, seccomp
from tests.cluster.kube.cache import home, locked
from tests.cluster.kube.recipes import WRAPPERS, Recipe, recipe_of

CONTROL_PLANE = ("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubectl")
HOST_CONTROLLERS = ("kserve-manager", "kwok")
NODE = (*CONTROL_PLANE, "kubelet", "kube-proxy", "containerd", "runc", "cni", "pause", "coredns")
POLICIES = ("kube-router",)

LOCK = "build"


def say_on_stderr(line: str) -> None:
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def binary(name: str, say: Callable[[str], None] = say_on_stderr) -> Path:
    """The program `name`, built first if it must be."""
    if given := from_assets(name):
        return given
    return folder(name, say) / name


def folder(name: str, say: Callable[[str], None] = say_on_stderr) -> Path:
    """The folder that holds the programs of a recipe, given its name or that of one of its programs."""
    recipe = recipe_of(name)
    place = place_of(recipe)
    if not place.exists():
        with locked(LOCK):
            if not place.exists():
                build(recipe, place, say)
    return place


def ensure(names: Iterable[str], say: Callable[[str], None] = say_on_stderr) -> None:
    """Build what is missing, and say first how long all of it may take."""
    todo = missing(names)
    if todo:
        say(announcement(todo))
    for recipe in todo:
        folder(recipe.name, say)


def missing(names: Iterable[str]) -> list[Recipe]:
    recipes = {recipe.name: recipe for name in names if not from_assets(name) for recipe in [recipe_of(name)]}
    return [recipe for recipe in recipes.values() if not place_of(recipe).exists()]


def announcement(recipes: Iterable[Recipe]) -> str:
    todo = list(recipes)
    names = ", ".join(f"{recipe.name} {recipe.version}" for recipe in todo)
    minutes = max(1, round(sum(recipe.expected_s for recipe in todo) / 60))
    return f"building {names} from Go modules into {home()}, once: up to {minutes} min on 2 cores"


def from_assets(name: str) -> Path | None:
    """etcd, kube-apiserver and kubectl as controller-runtime's setup-envtest lays them out."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    found = Path(assets) / name if assets else None
    return found if found and found.is_file() else None


def place_of(recipe: Recipe) -> Path:
    return home() / "bin" / f"{recipe.name}-{recipe.version}-{fingerprint(recipe)}"


def fingerprint(recipe: Recipe) -> str:
    """Changes with the recipe and with the wrapper's files."""
    said = hashlib.sha256(repr(recipe).encode())
    if recipe.wrapper:
        for file in sorted((WRAPPERS / recipe.wrapper).iterdir()):
            said.update(file.name.encode() + b"\0" + file.read_bytes())
    return said.hexdigest()[:8]


def build(recipe: Recipe, place: Path, say: Callable[[str], None]) -> None:
    """Call it with the lock held."""
    started = time.monotonic()
    say(f"building {recipe.name} {recipe.version}: up to {recipe.expected_s} s from empty caches")
    source = WRAPPERS / recipe.wrapper if recipe.wrapper else golang.module(recipe.module, recipe.version)
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{recipe.name}-") as scratch:
        made = Path(scratch) / "bin"
        made.mkdir()
        environment = seccomp.environment() if recipe.seccomp else {}
        for name, package in recipe.programs.items():
            flags = ["-mod=readonly", "-trimpath", "-tags", recipe.tags, "-ldflags", recipe.ldflags]
            golang.go("build", *flags, "-o", str(made / name), package, cwd=source, environment=environment)
        for name, target in recipe.links.items():
            (made / name).symlink_to(target)
        made.rename(place)
    say(f"built {recipe.name} in {time.monotonic() - started:.0f} s")
