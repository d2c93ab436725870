"""What a server refuses to start with: each sentence names the file, and what to do."""

import json
from pathlib import Path

import pytest

from trimtab.api.errors import InputRefused

from .conftest import build_folder, write_manifest

pytestmark = pytest.mark.xdist_group("serving")


@pytest.fixture
def spoilt(tmp_path: Path) -> Path:
    return build_folder(tmp_path / "spoilt")


def refusal(folder: Path) -> str:
    from trimtab.serving.folder import open_folder
    from trimtab.serving.lookup import Lookup
    from trimtab.serving.predictor import Predictor

    with pytest.raises(InputRefused) as caught:
        Predictor(open_folder(folder), Lookup((), None, None))
    assert caught.value.remedy
    return caught.value.message


def test_a_folder_that_is_not_there(tmp_path: Path):
    assert "no manifest.json" in refusal(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["model.onnx", "features.py", "plan.json"])
def test_a_file_that_was_changed(spoilt: Path, name: str):
    with (spoilt / name).open("ab") as file:
        file.write(b"\n")
    assert f"{name}: sha256 is" in refusal(spoilt)


@pytest.mark.parametrize("name", ["model.onnx", "features.py", "plan.json"])
def test_a_file_that_is_gone(spoilt: Path, name: str):
    (spoilt / name).unlink()
    assert f"{name}: listed in manifest.json but cannot be read" in refusal(spoilt)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("model.onnx", "no model", "ONNX Runtime cannot load it"),
        ("plan.json", "{", "plan.json is damaged"),
        ("plan.json", '{"format": 99}', "plan.json has format 99"),
        ("features.py", "REQUEST = 1", "features.py"),
        ("features.py", "import nothing_of_this_name", "features.py"),
    ],
)
def test_a_file_that_is_wrong_though_its_digest_is_right(spoilt: Path, name: str, content: str, says: str):
    (spoilt / name).write_text(content)
    write_manifest(spoilt)
    assert says in refusal(spoilt)


@pytest.mark.parametrize(
    "manifest", ["[]", "{", '{"files": 3}', '{"files": {"a": 1}}', '{"files": {"plan.json": "00"}}']
)
def test_a_manifest_that_is_wrong(spoilt: Path, manifest: str):
    (spoilt / "manifest.json").write_text(manifest)
    assert "manifest.json" in refusal(spoilt)


def test_features_that_the_plan_does_not_name(spoilt: Path):
    with (spoilt / "features.py").open("a") as file:
        file.write("# changed\n")
    write_manifest(spoilt)
    assert "plan.json was made with" in refusal(spoilt)


def test_a_model_with_an_input_that_the_plan_does_not_list(spoilt: Path):
    plan = json.loads((spoilt / "plan.json").read_text())
    plan["outputs"] = [field for field in plan["outputs"] if field["name"] != "temp"]
    (spoilt / "plan.json").write_text(json.dumps(plan))
    write_manifest(spoilt)
    assert "takes the input 'temp'" in refusal(spoilt)
