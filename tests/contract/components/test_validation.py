"""What build and validate hand on, and what a person reads of it: rows that sources lost are in the report."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.xdist_group("data")

PROJECT = """apiVersion: trimtab.dev/v1alpha1
kind: Project
name: tryout
sources: {visits: {files: visits.csv}}
tables: {kept: kept.sql}
expectations: expectations.yaml
examples: {table: kept, key: [id], time: seen_at, label: {column: y}}
"""
UNTIL = "2024-01-05T00:00:00+00:00"


@pytest.fixture
def project(tmp_path):
    """A packed project: of five rows, one has no distance and one lies after the run's end."""
    from trimtab.adapters.projects.bundle import pack
    from trimtab.adapters.projects.home import Home
    from trimtab.adapters.projects.load import load

    def made(otherwise):
        lines = [f"{i},2024-01-0{i + 1}T00:00:00Z,{'' if i == 2 else i},{i % 2}" for i in range(5)]
        (tmp_path / "visits.csv").write_text("\n".join(["id,seen_at,distance,y", *lines]) + "\n")
        (tmp_path / "kept.sql").write_text("select id, seen_at, distance, y = 1 as y from visits")
        (tmp_path / "trimtab.yaml").write_text(PROJECT)
        (tmp_path / "expectations.yaml").write_text(
            f"visits: [{{check: complete, column: distance, else: {otherwise}}}]\n"
            "kept: [{check: volume, atLeast: 1}]\n"
        )
        return str(pack(load(tmp_path), Home.of(tmp_path).bundles))

    return made


@pytest.fixture
def artifact(tmp_path):
    return lambda name: SimpleNamespace(path=str(tmp_path / name), metadata={})


def built(project, artifact):
    from trimtab.bootstrap import rows

    sources, tables, judged = (artifact(name) for name in ("sources", "tables", "judged"))
    taken = rows.ingest(project, UNTIL, sources)
    made = rows.build(project, UNTIL, taken.version, sources, tables, judged)
    return made, tables, judged


def test_rows_that_a_source_lost_are_in_the_report_in_both_forms(project, artifact):
    from trimtab.bootstrap import artefacts, rows

    bundle = project("quarantine")
    made, tables, judged = built(bundle, artifact)
    good, report, outcome = (artifact(name) for name in ("good", "report.html", "outcome.json"))
    rows.validate(bundle, UNTIL, made.version, tables, judged, good, report, outcome)
    said = json.loads(Path(outcome.path).read_text())
    assert said["passed"]
    assert said["tables"]["visits"]["quarantined"] == 1
    assert said["tables"]["visits"]["quarantine"]["table"] == "_quarantine/visits"
    page = Path(report.path).read_text()
    assert "1 of them in quarantine" in page
    assert page.index(">visits<") < page.index(">kept<")
    pointers = artefacts.read_pointers(good)
    assert pointers["visits"].table == "_valid/visits"
    assert (pointers["kept"].rows, said["tables"]["kept"]["rows"]) == (4, 3), (
        "judged until the run's end alone"
    )


def test_a_source_that_fails_says_so_and_leaves_what_was_found(project, artifact):
    from trimtab.api.errors import AnswerIsNo
    from trimtab.bootstrap import artefacts

    with pytest.raises(AnswerIsNo, match="visits: "):
        built(project("fail"), artifact)
    assert not artefacts.read_outcome(artifact("judged")).passed


def test_a_table_that_fails_is_in_the_report_too(project, artifact, tmp_path):
    from trimtab.api.errors import AnswerIsNo
    from trimtab.bootstrap import rows

    bundle = project("warn")
    made, tables, judged = built(bundle, artifact)
    rules = Path(bundle) / "expectations.yaml"
    rules.chmod(0o644)
    rules.write_text("kept: [{check: volume, atLeast: 100}]\n")
    good, report, outcome = (artifact(name) for name in ("good", "report.html", "outcome.json"))
    with pytest.raises(AnswerIsNo, match="kept"):
        rows.validate(bundle, UNTIL, made.version, tables, judged, good, report, outcome)
    assert "did not pass" in Path(report.path).read_text()
