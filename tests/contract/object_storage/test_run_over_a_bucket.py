"""A run whose tables all lie in a bucket makes the model that it makes over a folder, and can be made again."""

from pathlib import Path

import pytest

from tests.contract.object_storage.conftest import Lake
from tests.contract.reproduce.conftest import FILES, RUN, run_here, table

pytestmark = pytest.mark.xdist_group("bucket")


def made(folder: Path, platform: str = "") -> Path:
    folder.mkdir()
    for name, text in {**FILES, "platform.yaml": platform}.items():
        if text:
            (folder / name).write_text(text)
    (folder / "visits.csv").write_text(table())
    run_here(folder)
    return folder


def test_a_run_over_a_bucket_is_that_over_a_folder_and_is_made_again(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trimtab.adapters.projects.home import Home
    from trimtab.adapters.projects.load import load
    from trimtab.bootstrap.artefacts import read_provenance
    from trimtab.bootstrap.workplace import PLATFORM_VARIABLE
    from trimtab.local.reproduce.reproduce import reproduce

    here = made(tmp_path / "here")
    monkeypatch.setenv(PLATFORM_VARIABLE, "lake")
    there = made(tmp_path / "there", f"platforms: {{lake: {{tables: '{lake.address}'}}}}\n")
    home = Home.of(there)
    assert not home.tables.exists()
    assert {"_features/seen", "_quarantine/visits", "_valid/visits", "regions", "seen", "visits"} <= set(
        lake.tables.names()
    )
    one, other = (read_provenance(folder / ".trimtab/runs" / RUN / "export") for folder in (here, there))
    assert [held.digest for held in one.data] == [held.digest for held in other.data]
    assert one.results == other.results
    before = {name: lake.tables.head(name) for name in lake.tables.names()}
    again = reproduce("latest", load(there), home)
    assert again.identical, again.differences
    assert {name: lake.tables.head(name) for name in lake.tables.names()} == before, "no table was written"
    assert list((home.path / "tmp").iterdir()) == []
