"""A server starts on the registered folder and on no other."""

import json

import pytest

from trimtab.serving.folder import FolderRefused, open_folder
from trimtab.steps.model_folder import folder_digest

FILES = {"a.txt": "00" * 32, "b.txt": "11" * 32}


def test_another_folder_than_the_registered_one_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"files": FILES}))
    with pytest.raises(FolderRefused, match="this folder has digest"):
        open_folder(tmp_path, "ab" * 32)


def test_the_digest_is_the_one_that_the_exporting_step_takes(tmp_path):
    (tmp_path / "manifest.json").write_text(json.dumps({"files": FILES}))
    with pytest.raises(FolderRefused, match=r"does not list model\.onnx"):
        open_folder(tmp_path, folder_digest(FILES))
