"""README.md's lines for a cluster, in an order that works at the first try: images, namespaces, what wants them."""

import runpy

import pytest
import yaml
from documentation_pages import ROOT, blocks

IMAGES = "kind load docker-image"


@pytest.fixture(scope="module")
def lines():
    """The lines of the block that installs."""
    (block,) = (one for one in blocks(ROOT / "README.md") if "helm install" in one.body)
    return [line.partition("  #")[0].strip() for line in block.body.splitlines()]


def test_it_installs_by_the_lines_that_are_run_on_the_install_page(lines):
    """Those that `make e2e` begins with too."""
    run = blocks(ROOT / "docs" / "install.md", "sh install")[0].body.splitlines()
    start = lines.index(run[0])
    assert lines[start : start + len(run)] == run


def test_images_are_made_and_given_before_anything_runs_them(lines):
    gives = next(number for number, line in enumerate(lines) if line.startswith(IMAGES))
    installs = next(number for number, line in enumerate(lines) if line.startswith("helm install"))
    assert lines.index("make images") < gives < installs


def test_a_namespace_is_made_before_it_is_used(lines):
    for number, line in enumerate(lines):
        words = line.split()
        if "-n" in words:
            assert f"kubectl create namespace {words[words.index('-n') + 1]}" in lines[:number], line


@pytest.mark.parametrize("page", ["README.md", "docs/install.md"])
def test_the_names_that_nodes_are_given_are_those_that_are_built_and_asked_for(page):
    build = runpy.run_path(str(ROOT / "manifests" / "images" / "build.py"))
    built = {f"{name}:{build['version']()}" for name, _ in build["IMAGES"].values()}
    values = yaml.safe_load((ROOT / "helm" / "trimtab" / "values.yaml").read_text())
    version = yaml.safe_load((ROOT / "helm" / "trimtab" / "Chart.yaml").read_text())["appVersion"]
    policy = yaml.safe_load((ROOT / "manifests" / "samples" / "retrainpolicy.yaml").read_text())
    asked = {
        f"{values['image']['repository']}:{values['image']['tag'] or version}",
        values["servingRuntime"]["image"],
        policy["spec"]["pipeline"]["job"]["image"],
    }
    (line,) = (line for line in (ROOT / page).read_text().splitlines() if line.startswith(IMAGES))
    given = set(line.partition("  #")[0].removeprefix(IMAGES).split())
    assert given == built == asked
