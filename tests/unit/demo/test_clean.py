"""A demo removes what demos made, and nothing else."""

import pytest

from trimtab.api.errors import InputRefused


def test_a_folder_with_other_things_is_left_alone(tmp_path):
    from trimtab.local.demo.run import clean

    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputRefused, match=r"thesis\.txt"):
        clean(tmp_path, tmp_path / "flights")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_what_an_earlier_demo_made_is_removed(tmp_path):
    from trimtab.local.demo.run import clean

    folder = tmp_path / "demo"
    (folder / "flights").mkdir(parents=True)
    (folder / "flights" / "platform.yaml").write_text("platforms: {}")
    (folder / "result.json").write_text("{}")
    assert clean(folder, folder / "flights")
    assert not folder.exists()
    assert not clean(folder, folder / "flights")


def test_a_project_of_that_name_that_is_no_replay_is_left_alone(tmp_path):
    from trimtab.local.demo.run import clean

    (tmp_path / "flights").mkdir()
    (tmp_path / "flights" / "trimtab.yaml").write_text("name: flights")
    with pytest.raises(InputRefused, match="flights"):
        clean(tmp_path, tmp_path / "flights")
    assert (tmp_path / "flights" / "trimtab.yaml").exists()
