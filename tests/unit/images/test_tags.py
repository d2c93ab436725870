"""Whatever names an image of trimtab names the one that `make images` makes: by the version, in every file."""

import re
import subprocess
import tomllib
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[3]
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
NAMED = re.compile(r"(?<![\w.$-])trimtab(?:-operator|-serving)?:([A-Za-z0-9][\w.-]*)")
"""In YAML, Dockerfiles and the code of pipelines; a registry may stand before it."""
SUFFIXES = {".yaml", ".yml", ".py", ".json"}
FOLDERS = ("components", "pipelines", "helm", "manifests", "src", "operators", "examples")


def files():
    said = subprocess.run(["git", "ls-files", *FOLDERS], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in said.stdout.splitlines():
        path = ROOT / name
        if path.suffix in SUFFIXES or path.name == "Dockerfile":
            yield path


def images(text):
    """Tags of lines that name an image."""
    return [
        tag
        for line in text.splitlines()
        if "image" in line.lower() or "-t " in line
        for tag in NAMED.findall(line)
    ]


def test_every_image_that_is_named_has_the_versions_tag():
    wrong = {}
    found = 0
    for path in files():
        tags = images(path.read_text())
        found += len(tags)
        if other := set(tags) - {VERSION}:
            wrong[str(path.relative_to(ROOT))] = other
    assert wrong == {}
    assert found > 40


def test_the_chart_and_the_default_of_a_project_are_of_the_version():
    from trimtab.api.project import IMAGE, Environment

    chart = yaml.safe_load((ROOT / "helm/trimtab/Chart.yaml").read_text())
    assert chart["appVersion"] == VERSION
    assert Environment().image == IMAGE == f"trimtab:{VERSION}"
