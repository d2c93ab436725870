"""From a model to its sources, and from a prediction to its row and those that its views had for it."""

import hashlib
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytestmark = pytest.mark.xdist_group("reproduce")

RUN = "20240401-000000-000"
UNTIL = "2024-05-01T00:00:00+00:00"


def provenance(folder: Path) -> Any:
    from trimtab.api.provenance import Provenance

    return Provenance.from_json((folder / ".trimtab/runs" / RUN / "provenance.json").read_bytes())


def rows(folder: Path, key: str, at: datetime, **features: Any) -> Any:
    from trimtab.adapters.projects.home import Home
    from trimtab.adapters.projects.load import load
    from trimtab.bootstrap.local import tables_here
    from trimtab.features.plan import ServingPlan
    from trimtab.local.lineage.logged import Logged
    from trimtab.local.lineage.rows import row_nodes

    made = provenance(folder)
    plan = ServingPlan.from_json(
        (folder / ".trimtab/models" / made.results.exported[:16] / "plan.json").read_bytes()
    )
    loaded, home = load(folder), Home.of(folder)
    logged = Logged(key, "0a1b2c3d", at, 0.5, features)
    return row_nodes(logged, made, plan, loaded.project, tables_here(loaded, home), home.path / "tmp")


def test_the_features_lead_over_tables_to_the_source_and_its_file(ran: Path) -> None:
    from trimtab.local.lineage.model import features_node

    node = features_node(provenance(ran))
    assert node.name == "_features/seen@0"
    assert {(one.kind, one.name) for one in node.made_of} == {("table", "seen@0"), ("table", "regions@0")}
    (good,) = {below.name: below for one in node.made_of for below in one.made_of}.values()
    assert good.name == "_valid/visits@0"
    (source,) = good.made_of
    assert (source.kind, source.name, source.facts["files"]) == ("source", "visits@0", ["visits.csv"])


def test_the_run_tells_its_lock_file_beside_what_was_installed(ran: Path) -> None:
    from trimtab.adapters.projects.home import Home
    from trimtab.local.lineage.model import run_node

    told = run_node(provenance(ran), Home.of(ran)).to_dict()
    (libraries,) = (one for one in told["madeOf"] if one["kind"] == "libraries")
    assert libraries["lockFile"] == "requirements.lock"
    assert libraries["lockFileDigest"] == hashlib.sha256((ran / "requirements.lock").read_bytes()).hexdigest()


def test_a_prediction_leads_to_its_row_its_features_and_the_row_that_its_view_had(ran: Path) -> None:
    example, features, view = rows(ran, "k040", datetime(2024, 1, 9, 8, tzinfo=UTC))
    assert (example.name, example.facts["learned"]) == ("k040 in seen@0", True)
    assert example.facts["values"]["region"] == "east"
    assert features.name == "k040 in _features/seen@0"
    assert view.name == "region east in regions@0"
    assert view.facts["values"]["known_at"] == "2024-01-09T00:00:00+00:00"
    assert features.facts["values"]["usual"] == view.facts["values"]["usual"]


def test_the_row_that_the_online_store_held_is_told_from_the_one_of_that_time(ran: Path) -> None:
    """A request for a time long past is answered with the store's row, which is newer."""
    at = datetime(2024, 1, 9, 8, tzinfo=UTC)
    newest = rows(ran, "k040", datetime(2024, 3, 31, tzinfo=UTC))[-1].facts["values"]
    view = rows(ran, "k040", at, usual=newest["usual"])[-1]
    assert view.facts["values"] == newest
    assert view.facts["because"].startswith("the online store held this row")
    view = rows(ran, "k040", at, usual=-1.0)[-1]
    assert view.facts["values"]["known_at"] == "2024-01-09T00:00:00+00:00"
    assert view.facts["because"].startswith("the model saw other values")


def test_a_row_that_is_newer_than_the_model_is_found_in_the_tables_of_today(copy: Path) -> None:
    from trimtab.bootstrap.rows import build, ingest

    with (copy / "visits.csv").open("a") as file:
        file.write("new,2024-04-20T00:00:00Z,west,7,1\n")
    bundle = str(next((copy / ".trimtab/bundles").iterdir()))
    sources, tables, judged = (
        SimpleNamespace(path=str(copy / name), metadata={}) for name in ("sources", "tables", "judged")
    )
    ingest(bundle, UNTIL, sources)
    build(bundle, UNTIL, "", sources, tables, judged)
    example, view = rows(copy, "new", datetime(2024, 4, 20, tzinfo=UTC))
    assert (example.name, example.facts["learned"]) == ("new in seen@1", False)
    assert view.name == "region west in regions@0"
    assert view.facts["because"].startswith("older than its max_age, so it counted as missing")


def test_a_row_that_is_nowhere_says_so(ran: Path) -> None:
    (view,) = rows(ran, "unheard", datetime(2024, 1, 9, tzinfo=UTC), visits=3)
    assert view.facts["because"] == "region is not known"
    (view,) = rows(ran, "unheard", datetime(2024, 1, 9, tzinfo=UTC), region="north")
    assert view.facts["because"] == "there was none at that time"


def test_versions_of_one_profile_are_not_told_apart_by_a_collector_s_revision(copy: Path) -> None:
    import hashlib

    from trimtab.adapters.projects.home import Home
    from trimtab.adapters.projects.load import load
    from trimtab.bootstrap.local import registry
    from trimtab.local.lineage.walk import _served
    from trimtab.local.versions import OwnVersions
    from trimtab.steps.model_folder import write_model_folder

    home, made = Home.of(copy), provenance(copy)
    profile = (home.models / made.results.exported[:16] / "profile.json").read_bytes()
    profiles = {"visits-0a1b2c3d": hashlib.sha256(profile).hexdigest(), "visits-other": "0" * 64}
    for model in (b"one", b"two"):
        folder = write_model_folder(home.models, {"model.onnx": model}, {"provenance": made.to_dict()})
        registry(home).register("visits", str(folder.path), folder.digest, {})
    served = _served({"visits-0a1b2c3d", "visits-other"}, profiles, OwnVersions(load(copy), home))
    assert [one.version for one in served["visits-0a1b2c3d"]] == ["1", "2"]
    assert served["visits-other"] == ()


def test_a_version_that_is_gone_is_told_and_the_rest_is_shown(copy: Path) -> None:
    for file in (copy / ".trimtab/tables/regions").glob("*.parquet"):
        file.unlink()
    example, features, view = rows(copy, "k040", datetime(2024, 1, 9, 8, tzinfo=UTC))
    assert {example.name, features.name} == {"k040 in seen@0", "k040 in _features/seen@0"}
    assert view.name == "unknown in regions@0"
    assert view.facts["because"].startswith("this version cannot be read: ")
