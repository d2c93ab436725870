"""A version's provenance lies in its model folder; a model from elsewhere has none, and that is said."""

import pytest

from trimtab.api.errors import InputRefused
from trimtab.local.versions import NAMED, provenance_of
from trimtab.ports.registry import ModelVersion
from trimtab.steps.model_folder import write_model_folder


def test_a_model_that_was_registered_from_elsewhere_cannot_be_made_again(tmp_path):
    folder = write_model_folder(tmp_path, {"model.onnx": b""}, {"trimtab.model": "onnx"})
    tags = {"trimtab.because": "registered from churn.onnx"}
    version = ModelVersion("churn", "2", str(folder.path), folder.digest, tags)
    with pytest.raises(InputRefused, match=r"churn/2 was not made here: it was registered from churn\.onnx"):
        provenance_of(version)


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
