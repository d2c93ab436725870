"""A run made again: identical to the bit, or the first thing that differs by name; one thing changed at a time."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from trimtab.api.errors import ExitStatus, InputRefused, SurroundingsFailed

pytestmark = pytest.mark.xdist_group("reproduce")

RUN = "20240401-000000-000"


def reproduced(folder: Path, run: str = "latest", **options: Any) -> Any:
    from trimtab.adapters.projects.home import Home
    from trimtab.adapters.projects.load import load
    from trimtab.local.reproduce.reproduce import reproduce

    return reproduce(run, load(folder), Home.of(folder), **options)


def digests(folder: Path) -> dict[str, str]:
    """Every file below a folder, but for what is locked and unlocked."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.name != ".lock")
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def recorded(folder: Path) -> Path:
    return folder / ".trimtab/runs" / RUN / "provenance.json"


def change(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


def parquet(folder: Path, table: str = "visits") -> Path:
    return next((folder / ".trimtab/tables" / table).glob("*.parquet"))


def test_a_run_comes_out_identical_and_nothing_else_is_touched(ran: Path, tmp_path: Path) -> None:
    before = digests(ran)
    made = reproduced(ran, keep=tmp_path / "again")
    assert made.identical
    assert made.first is None
    assert made.differences == ()
    assert made.rebuilt.results == made.recorded.results
    assert {"model.onnx", "background.json"} <= set(made.recorded.results.files)
    assert len(made.recorded.results.files) == 6
    assert digests(ran) == before
    folder = made.recorded.results.exported[:16]
    again = tmp_path / "again/.trimtab/models" / folder / "model.onnx"
    assert again.read_bytes() == (ran / ".trimtab/models" / folder / "model.onnx").read_bytes()


def test_a_smaller_form_that_was_taken_is_made_again_to_the_bit(
    ran: Path, run_once: Callable[..., Path]
) -> None:
    """Refitted, pruned and in 8 bits, as its judge took it."""
    small = "export: {prune: 0.5, quantize: static}\n"
    network = """
from sklearn.neural_network import MLPClassifier


def build(schema, seed=0):
    return MLPClassifier((64, 32), max_iter=20, random_state=seed)
"""
    made = reproduced(run_once(trimtab_yaml=(ran / "trimtab.yaml").read_text() + small, model_py=network))
    assert (made.recorded.pruned, made.recorded.quantized, made.recorded.refitted) == (0.5, "static", True)
    assert made.identical
    assert made.rebuilt.results == made.recorded.results


def test_what_changed_since_beside_the_run_has_no_effect(copy: Path) -> None:
    """Files of the project and its sources, and a library, which is told."""
    (copy / "visits.csv").write_text("id\nanother\n")
    change(copy / "seen.sql", "visits, bought", "visits + 1 as visits, bought")
    change(recorded(copy), '"numpy": "', '"numpy": "0.')
    made = reproduced(copy, RUN)
    assert made.identical
    assert [(one.cause, one.what) for one in made.differences] == [("libraries", "numpy")]


def test_a_lock_file_that_changed_since_is_told_after_what_is_installed(copy: Path) -> None:
    change(copy / "requirements.lock", "sha256:0a", "sha256:0b")
    made = reproduced(copy)
    assert made.recorded.lock.file == "requirements.lock"
    assert made.identical
    assert [(one.cause, one.what) for one in made.differences] == [("libraries", "requirements.lock")]
    change(recorded(copy), '"numpy": "', '"numpy": "0.')
    assert [one.what for one in reproduced(copy).differences] == ["numpy", "requirements.lock"]


def test_a_model_that_draws_its_own_dice_is_named_where_it_is_fitted(run_once: Callable[..., Path]) -> None:
    made = reproduced(
        run_once(
            model_py="""
import os

from sklearn.ensemble import RandomForestClassifier


def build(schema, seed=0):
    return RandomForestClassifier(n_estimators=5, max_depth=3, random_state=int.from_bytes(os.urandom(4), "big"))
"""
        )
    )
    assert not made.identical
    assert made.first.cause == "trained model"
    assert {one.cause for one in made.differences} >= {"fitted model", "exported file", "predictions"}


def test_a_library_that_differs_is_named_before_what_it_may_have_caused(copy: Path) -> None:
    path = recorded(copy)
    change(path, '"duckdb": "', '"duckdb": "0.')
    told = json.loads(path.read_text())
    for held in told["data"]:
        if held["table"] == "regions":
            held["digest"] = "0" * 64
    path.write_text(json.dumps(told))
    made = reproduced(copy)
    assert (made.first.cause, made.first.what) == ("libraries", "duckdb")
    assert (made.effect.cause, made.effect.what) == ("tables", "regions")


def test_a_changed_bundle_is_named_by_its_file_and_nothing_is_rebuilt(copy: Path) -> None:
    bundle = next((copy / ".trimtab/bundles").iterdir())
    change(bundle / "model.py", "n_estimators=5", "n_estimators=6")
    made = reproduced(copy)
    assert (made.first.cause, made.first.what) == ("bundle", "model.py")
    assert made.rebuilt is None


def test_a_bundle_that_is_gone_is_packed_anew_from_files_that_are_the_same(copy: Path) -> None:
    import shutil

    bundle = next((copy / ".trimtab/bundles").iterdir())
    shutil.rmtree(bundle)
    parquet(copy).unlink()  # stops it before the rebuild
    with pytest.raises(SurroundingsFailed, match="version 0 of source 'visits' is gone"):
        reproduced(copy)
    assert bundle.is_dir()
    shutil.rmtree(bundle)
    change(copy / "model.py", "max_depth=3", "max_depth=4")
    with pytest.raises(
        SurroundingsFailed, match=r"bundle visits-\w+ is not here, and the project's files are others"
    ):
        reproduced(copy)


def test_rows_that_are_others_are_named_by_source_and_version(copy: Path) -> None:
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    path = parquet(copy)
    held = pq.read_table(path)
    place = held.column_names.index("visits")
    pq.write_table(held.set_column(place, held.schema.field("visits"), pc.add(held["visits"], 1)), path)
    made = reproduced(copy)
    assert (made.first.cause, made.first.what) == ("data", "visits (version 0)")
    assert made.rebuilt is None


def test_a_version_that_was_vacuumed_is_the_surroundings_fault(copy: Path) -> None:
    name = parquet(copy).name
    parquet(copy).unlink()
    with pytest.raises(
        SurroundingsFailed, match=rf"version 0 of source 'visits' is gone: .* {name}: .*vacuumed"
    ):
        reproduced(copy)


def test_a_version_that_is_torn_is_the_surroundings_fault(copy: Path) -> None:
    path = parquet(copy)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(SurroundingsFailed, match="version 0 of source 'visits' cannot be read"):
        reproduced(copy)


def test_a_run_that_is_not_there_is_answered_with_those_that_are(copy: Path) -> None:
    with pytest.raises(InputRefused, match="no run '20240401-000000-001'") as refused:
        reproduced(copy, "20240401-000000-001")
    assert RUN in refused.value.remedy
    assert refused.value.status == ExitStatus.INPUT


def test_a_run_of_another_project_is_refused(copy: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "provenance.json").write_text(recorded(copy).read_text().replace('"visits"', '"orders"', 1))
    with pytest.raises(InputRefused, match="a run of project 'orders'; this is 'visits'"):
        reproduced(copy, str(other))
    with pytest.raises(InputRefused, match="orders/3: this project's model is 'visits'"):
        reproduced(copy, "orders/3")


def test_a_run_that_came_to_no_model_cannot_be_made_again(copy: Path) -> None:
    told = json.loads(recorded(copy).read_text())
    told["results"] = {"trained": told["results"]["trained"]}
    recorded(copy).write_text(json.dumps(told))
    with pytest.raises(InputRefused, match="ended before it had a model"):
        reproduced(copy)


def test_a_torn_record_is_refused_by_its_path(copy: Path) -> None:
    recorded(copy).write_text("{")
    with pytest.raises(InputRefused, match=r"provenance\.json: "):
        reproduced(copy)
