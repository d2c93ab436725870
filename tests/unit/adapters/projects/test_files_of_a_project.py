"""Reading, packing and clearing a project's folder."""

import pytest

from trimtab.adapters.projects.bundle import pack
from trimtab.adapters.projects.clean import remove_table
from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import load, load_platform
from trimtab.api.document import FilesRefused
from trimtab.api.errors import InputRefused

PROJECT = """apiVersion: trimtab.dev/v1alpha1
kind: Project
name: shop
sources: {rows: {files: rows.csv}}
examples: {label: {column: y}}
features: features.py
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "trimtab.yaml").write_text(PROJECT)
    (tmp_path / "features.py").write_text("REQUEST = None\n")
    (tmp_path / "rows.csv").write_text("x,y\n")
    (tmp_path / ".env").write_text("SECRET=1\n")
    return tmp_path


def test_a_bundle_holds_the_named_files_and_no_others(folder):
    bundle = pack(load(folder), folder / "bundles")
    assert sorted(path.name for path in bundle.iterdir()) == ["features.py", "trimtab.yaml"]


def test_a_bundle_is_named_by_its_content(folder):
    first = pack(load(folder), folder / "bundles")
    assert pack(load(folder), folder / "bundles") == first
    (folder / "rows.csv").write_text("x,y\n1,2\n")
    assert pack(load(folder), folder / "bundles") == first
    (folder / "features.py").write_text("REQUEST = 1\n")
    changed = pack(load(folder), folder / "bundles")
    assert changed != first
    assert (first / "features.py").read_text() == "REQUEST = None\n"
    assert not list((folder / "bundles").glob(".making-*"))


def test_a_bundle_never_holds_a_secret_or_a_mountain(folder, monkeypatch):
    (folder / "trimtab.yaml").write_text(PROJECT.replace("features.py", ".env"))
    with pytest.raises(InputRefused, match="never packed"):
        pack(load(folder), folder / "bundles")
    (folder / "trimtab.yaml").write_text(PROJECT)
    monkeypatch.setattr("trimtab.adapters.projects.bundle.MAX_BYTES", 10)
    with pytest.raises(InputRefused, match=r"largest file is trimtab\.yaml"):
        pack(load(folder), folder / "bundles")


def test_files_that_are_missing_are_told_beside_fields_that_are_wrong(folder):
    (folder / "trimtab.yaml").write_text(
        PROJECT.replace("kind: Project", "kind: Projekt") + "model: model.py\n"
    )
    with pytest.raises(FilesRefused) as refused:
        load(folder)
    assert [problem.line for problem in refused.value.problems] == [2, 7]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "holds no fields"),
        ("a: [", "not YAML"),
        ("- a\n", "holds no fields"),
        ("a: 1\na: 2\n", "given twice"),
    ],
)
def test_what_is_no_project_file_is_told_with_a_line(folder, text, said):
    (folder / "trimtab.yaml").write_text(text)
    with pytest.raises(FilesRefused, match=said):
        load(folder)


def test_a_file_that_is_not_utf8_is_refused(folder):
    (folder / "trimtab.yaml").write_bytes("name: größe".encode("latin1"))
    with pytest.raises(InputRefused, match="not UTF-8"):
        load(folder)


def test_a_platform_is_found_by_its_name(folder):
    assert load_platform(folder, None).data_root is None
    with pytest.raises(InputRefused, match=r"no platform\.yaml"):
        load_platform(folder, "lab")
    (folder / "platform.yaml").write_text("platforms: {lab: {dataRoot: /data}}\n")
    assert load_platform(folder, "lab").data_root == "/data"
    with pytest.raises(InputRefused) as refused:
        load_platform(folder, "lap")
    assert refused.value.remedy == "did you mean 'lab'?"


@pytest.mark.parametrize(
    "address", ["ftp://lake/flights", "/srv/tables", "s3://", "s3://me:secret@lake/flights"]
)
def test_tables_lie_in_a_bucket_of_a_kind_that_is_known(folder, address):
    (folder / "platform.yaml").write_text(f'platforms: {{lab: {{tables: "{address}"}}}}\n')
    with pytest.raises(FilesRefused, match=r"platforms\.lab\.tables"):
        load_platform(folder, "lab")


def test_a_password_in_an_address_is_refused(folder):
    (folder / "platform.yaml").write_text('platforms: {lab: {dataRoot: "s3://me:secret@lake/x"}}\n')
    with pytest.raises(FilesRefused) as refused:
        load_platform(folder, "lab")
    assert "write ${NAME}" in refused.value.problems[0].remedy


def test_a_table_goes_with_what_was_judged_of_it(tmp_path):
    home = Home(tmp_path)
    for name in ("rows", "_valid/rows", "_quarantine/rows", "other"):
        (home.tables / name / "_delta_log").mkdir(parents=True)
    remove_table(home, "rows")
    assert sorted(path.parent.name for path in home.tables.rglob("_delta_log")) == ["other"]
    with pytest.raises(InputRefused) as refused:
        remove_table(home, "othr")
    assert refused.value.remedy == "did you mean 'other'?"


def test_a_named_file_that_is_no_text_is_told_with_its_line(folder):
    (folder / "features.py").write_bytes("REQUEST = None\n# größe\n".encode("latin1"))
    with pytest.raises(FilesRefused, match=r"features\.py:2: is not UTF-8"):
        load(folder)
