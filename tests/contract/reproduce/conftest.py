"""A small project run in this process, step by step as a pipeline does, with its provenance in the run's folder."""

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

UNTIL = "2024-04-01T00:00:00+00:00"
RUN = "20240401-000000-000"
ROWS = 400
PROJECT = """apiVersion: trimtab.dev/v1alpha1
kind: Project
name: visits
sources: {visits: {files: visits.csv}}
tables:
  seen: seen.sql
  regions: regions.sql
expectations: expectations.yaml
examples: {table: seen, key: [id], time: seen_at, label: {column: bought}}
features: features.py
model: model.py
evaluation: {gates: [{metric: roc_auc, atLeast: 0.5}]}
training: {split: {validation: 10d, test: 10d}}
"""
FILES = {
    "trimtab.yaml": PROJECT,
    "expectations.yaml": "visits: [{check: complete, column: region, else: quarantine}]\n",
    "seen.sql": "select id, seen_at, region, visits, bought = 1 as bought from visits",
    "regions.sql": """
        select region, date_trunc('day', seen_at) + interval 1 day as known_at, avg(visits) as usual
        from visits group by all""",
    "features.py": """
from trimtab.features import Columns, Request, View

REQUEST = Request(seen_at="timestamp", region="string", visits="number")
VIEWS = (View("regions", by="region", time="known_at", max_age="7d", columns=("usual",)),)


def transform(rows: Columns) -> Columns:
    return {name: rows[name] for name in ("region", "visits", "usual")}
""",
    "requirements.lock": "scikit-learn==1.9.1 --hash=sha256:0a\n",
    "model.py": """
from sklearn.ensemble import RandomForestClassifier


def build(schema, seed=0):
    return RandomForestClassifier(n_estimators=5, max_depth=3, random_state=seed)
""",
}


@pytest.fixture(scope="session")
def run_once(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a project with these files changed, and runs it; gives its folder."""

    def made(**changed: str) -> Path:
        folder = tmp_path_factory.mktemp("visits")
        names = {name.replace(".", "_"): name for name in FILES}
        for name, text in {**FILES, **{names[key]: text for key, text in changed.items()}}.items():
            (folder / name).write_text(text)
        (folder / "visits.csv").write_text(table())
        run_here(folder)
        return folder

    return made


@pytest.fixture(scope="session")
def ran(run_once: Callable[..., Path]) -> Path:
    """The project as above, run; not to be changed."""
    return run_once()


@pytest.fixture
def copy(ran: Path, tmp_path: Path) -> Path:
    """A copy of it, for those who change something."""
    return Path(shutil.copytree(ran, tmp_path / "visits", symlinks=True))


def table() -> str:
    import numpy as np

    draw = np.random.default_rng(3)
    visits = draw.integers(0, 40, ROWS)
    bought = (draw.random(ROWS) < 1 / (1 + np.exp((visits - 20) / 5))).astype(int)
    times = np.datetime64("2024-01-01T00:00:00") + np.arange(ROWS) * np.timedelta64(5, "h")
    rows = [
        f"k{i:03d},{times[i]}Z,{'east' if i % 3 else 'west'},{visits[i]},{bought[i]}" for i in range(ROWS)
    ]
    bad = "lost,2024-01-02T00:00:00Z,,3,1"
    return "\n".join(["id,seen_at,region,visits,bought", *rows, bad]) + "\n"


def run_here(folder: Path) -> None:
    from trimtab.adapters.projects.bundle import pack
    from trimtab.adapters.projects.home import Home
    from trimtab.adapters.projects.load import load
    from trimtab.bootstrap import component, rows
    from trimtab.bootstrap.artefacts import read_provenance

    home = Home.of(folder)
    bundle = str(pack(load(folder), home.bundles))
    kept = home.runs / RUN
    (kept / "export").mkdir(parents=True)

    def artefact(name: str) -> Any:
        drawn = dict.fromkeys(("log_metric", "log_roc_curve", "log_confusion_matrix"), lambda *_: None)
        return SimpleNamespace(path=str(kept / name), metadata={}, **drawn)

    sources, tables, judged, good = (artefact(name) for name in ("sources", "tables", "judged", "good"))
    features, model, passed, final = (artefact(name) for name in ("features", "model", "passed", "final"))
    before = os.environ.get("TRIMTAB_MLFLOW")
    os.environ["TRIMTAB_MLFLOW"] = "none"
    try:
        rows.ingest(bundle, UNTIL, sources)
        rows.build(bundle, UNTIL, "", sources, tables, judged)
        rows.validate(bundle, UNTIL, "", tables, judged, good, artefact("page"), artefact("outcome"))
        component.featurize(bundle, UNTIL, "", good, features)
        with (kept / "said").open("w") as said, contextlib.redirect_stdout(said):
            component.train(bundle, UNTIL, "", "", features, model, artefact("metrics"))
        figures = (artefact("judged-metrics"), artefact("curve"), artefact("evaluation.html"))
        component.evaluate(bundle, "", "", False, good, features, model, passed, *figures)
        component.refit(bundle, "", "", features, passed, final)
        component.export(bundle, features, final, artefact("export/servable"))
    finally:
        os.environ.pop("TRIMTAB_MLFLOW")
        if before is not None:
            os.environ["TRIMTAB_MLFLOW"] = before
    provenance = read_provenance(kept / "export")
    (kept / "provenance.json").write_text(provenance.to_json())
    said = {
        "id": RUN,
        "key": "",
        "project": bundle,
        "arguments": {"until": UNTIL},
        "started": UNTIL,
        "tasks": [],
    }
    (kept / "run.json").write_text(json.dumps(said))
