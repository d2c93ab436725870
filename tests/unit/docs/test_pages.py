"""What the pages say is so: commands run, examples are taken, links resolve, verbs and options exist."""

import os
import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from documentation_pages import GENERATED, PAGES, ROOT, Block, anchors, blocks, commands, links, name

MINIMAL = {
    "name": "churn",
    "sources": {"customers": {"files": "c.csv"}},
    "examples": {"label": {"column": "y"}},
}


def script(block: Block) -> str:
    return (
        block.body
        if block.info.startswith("sh ")
        else f"python - <<'END_OF_PAGE_BLOCK'\n{block.body}END_OF_PAGE_BLOCK\n"
    )


def pages_with(*infos: str) -> list[Path]:
    return [page for page in PAGES if blocks(page, *infos)]


@pytest.mark.parametrize("page", pages_with("sh test", "sh clone", "python test"), ids=name)
def test_the_commands_of_a_page_run_in_order_in_an_empty_folder(page, tmp_path):
    """A page with `sh clone` is for a reader who has the repository: its modules can be run."""
    whole = "".join(script(block) for block in blocks(page, "sh test", "sh clone", "python test"))
    modules = {"PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}"} if blocks(page, "sh clone") else {}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    ended = subprocess.run(
        ["bash", "-eu", "-o", "pipefail", "-c", whole],
        cwd=tmp_path,
        env={**os.environ, **modules, "PATH": path},
        capture_output=True,
        text=True,
        timeout=1200,
    )
    assert ended.returncode == 0, f"{ended.stdout}\n{ended.stderr}"
    assert "Traceback" not in ended.stderr


def examples(info: str) -> list[object]:
    return [
        pytest.param(block.body, id=f"{name(page)}-{number}")
        for page in PAGES
        for number, block in enumerate(blocks(page, info))
    ]


@pytest.mark.parametrize("text", examples("yaml project"))
def test_every_example_of_the_project_file_is_taken(text):
    from trimtab.api.document import Document, validate
    from trimtab.api.project import Project

    validate(Project, Document("trimtab.yaml", {**MINIMAL, **yaml.safe_load(text)}, {}))


def test_every_field_of_the_project_file_has_an_example():
    from trimtab.api.project import Project

    said = "\n".join(block.body for block in blocks(ROOT / "docs" / "project-file.md", "yaml project"))
    schema = Project.model_json_schema(by_alias=True)
    fields = {field for model in [schema, *schema["$defs"].values()] for field in model.get("properties", {})}
    unsaid = {field for field in fields if not re.search(rf"\b{field}\b", said)}
    # a second way to write a bound, as the resource does; and a gate's bounds, said in the sentence below it
    assert unsaid <= {"absolute", "percent", "atMost", "betterThanStableBy", "columns"}, unsaid


@pytest.mark.parametrize("text", examples("yaml expectations"))
def test_every_example_of_expectations_is_taken(text):
    from trimtab.api.document import read, validate
    from trimtab.api.expectations import Expectations

    validate(Expectations, read(text, "expectations.yaml"))


@pytest.mark.parametrize("text", examples("yaml platforms"))
def test_every_example_of_platforms_is_taken(text):
    from trimtab.api.document import read, validate
    from trimtab.api.platform import Platforms

    validate(Platforms, read(text, "platform.yaml"))


@pytest.mark.parametrize("text", examples("python features"))
def test_every_features_py_passes_its_check(text, tmp_path):
    from trimtab.features import load_features
    from trimtab.features.check import check_features
    from trimtab.features.sample import synthetic_inputs

    path = tmp_path / "features.py"
    path.write_text(text)
    definition = load_features(path)
    looked_up = {column: "number" for view in definition.views for column in view.columns.values()}
    assert check_features(path, synthetic_inputs({**definition.request, **looked_up}), timeout_s=60) == []


@pytest.mark.parametrize("text", examples("python model"))
def test_every_model_py_builds_an_estimator(text, tmp_path):
    from trimtab.features.schema import FeatureSchema
    from trimtab.steps.fitting.contract import built, file_source

    path = tmp_path / "model.py"
    path.write_text(text)
    estimator = built(file_source(path), FeatureSchema(("visits",), (), "binary", ("0", "1")), seed=7)
    assert hasattr(estimator, "predict_proba")


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_link_resolves(page):
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        assert file.exists(), f"{name(page)} links to {target}"
        if anchor:
            assert anchor in anchors(file), f"{name(page)} links to {target}, which has no such heading"


def test_every_page_is_found_from_the_index():
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / target.partition("#")[0]).resolve() for target in links(index)}
    pages = {page for page in ROOT.glob("docs/**/*") if page.suffix == ".md" or page.parent == GENERATED}
    assert pages - linked - {index} == set()


@pytest.fixture(scope="module")
def command():
    import typer

    from trimtab.cli.app import build

    return typer.main.get_command(build())


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_verb_and_option_exists(page, command):
    for words in commands(page, "trimtab"):
        verb, rest = command, words
        while rest and not rest[0].startswith("-") and hasattr(verb, "commands"):
            assert rest[0] in verb.commands, f"{name(page)}: trimtab {' '.join(words)}: no verb {rest[0]}"
            verb, rest = verb.commands[rest[0]], rest[1:]
        known = {option for parameter in verb.params for option in parameter.opts} | {"--help"}
        for word in rest:
            if word.startswith("-") and word != "-":
                option = word.partition("=")[0]
                assert option in known, f"{name(page)}: trimtab {' '.join(words)}: no option {option}"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_every_task_of_make_exists(page):
    tasks = set(re.findall(r"^([a-z][a-z0-9-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for words in commands(page, "make"):
        assert {word for word in words if "=" not in word and not word.startswith("-")} <= tasks


def test_every_message_of_the_troubleshooting_page_is_said_somewhere():
    page = (ROOT / "docs" / "troubleshooting.md").read_text()
    firsts = [line.split(" | ")[0] for line in page.splitlines() if line.startswith("| ")]
    said = "\n".join(path.read_text() for path in (ROOT / "src" / "trimtab").rglob("*.py"))
    for message in re.findall(r"`([^`]+)`", "\n".join(firsts)):
        if not message.startswith("trimtab "):
            assert message in said, message


@pytest.mark.parametrize("picture", sorted(ROOT.glob("docs/pictures/*.svg")), ids=lambda path: path.name)
def test_pictures_stand_alone_in_light_and_dark(picture):
    text = picture.read_text()
    root = ElementTree.fromstring(text)
    assert root.find("{http://www.w3.org/2000/svg}title") is not None
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"https?://(?!www\.w3\.org)|@import|url\(\s*[^#]|<image|<script", text)
