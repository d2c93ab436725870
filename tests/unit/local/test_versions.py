"""A version's provenance lies in its model folder; a model from elsewhere has none, and that is said."""

import pytest

from trimtab.adapters.projects.home import Home
from trimtab.adapters.projects.load import load
from trimtab.api.errors import InputRefused
from trimtab.local.versions import NAMED, OwnVersions, named_version, provenance_of
from trimtab.ports.registry import ModelVersion
from trimtab.steps.model_folder import write_model_folder

PROJECT = """name: churn
sources: {rows: {files: rows.csv}}
examples: {label: {column: y}}
"""


@pytest.fixture
def versions(tmp_path):
    (tmp_path / "trimtab.yaml").write_text(PROJECT)
    return OwnVersions(load(tmp_path), Home.of(tmp_path))


def test_a_model_that_was_registered_from_elsewhere_cannot_be_made_again(versions, tmp_path):
    folder = write_model_folder(tmp_path, {"model.onnx": b""}, {"trimtab.model": "onnx"})
    tags = {"trimtab.because": "registered from churn.onnx"}
    version = ModelVersion("churn", "2", str(folder.path), folder.digest, tags)
    with pytest.raises(
        InputRefused, match=r"churn/2 was made by no run of trimtab: it was registered from churn"
    ):
        provenance_of(version, versions)


def test_where_there_is_no_version_yet_the_places_that_may_have_some_are_named(tmp_path, versions):
    with pytest.raises(
        InputRefused, match=r"no model version churn/1 in this project's \.trimtab"
    ) as refused:
        named_version("churn/1", versions)
    assert refused.value.remedy == "there are none yet: trimtab run"
    (tmp_path / "platform.yaml").write_text("platforms: {prod: {mlflow: 'http://mlflow:5000'}, lab: {}}")
    with pytest.raises(InputRefused) as refused:
        named_version("churn@candidate", OwnVersions(load(tmp_path), Home.of(tmp_path)))
    assert str(refused.value.remedy).endswith("--platform prod asks the MLflow server of that")


@pytest.mark.parametrize(
    ("text", "is_version"),
    [
        ("flights/3", True),
        ("models:/flights/3", True),
        ("flights@candidate", True),
        ("UA-1545-EWR-201301011015", False),
        ("k0594", False),
        ("r7/1/2", False),
    ],
)
def test_a_version_is_told_from_a_prediction_by_its_form(text, is_version):
    assert (NAMED.fullmatch(text) is not None) is is_version
