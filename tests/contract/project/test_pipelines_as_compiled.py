"""All pipelines as they are uploaded: compiled for a platform, over a bundle's address, tasks that share one volume.

The local runner takes the same files that Kubeflow Pipelines takes; only the pods are missing.
"""

import json
import sqlite3
import subprocess

import pytest

from tests.contract.project.conftest import commit
from tests.contract.redis_server import RedisServer

pytestmark = pytest.mark.xdist_group("kfp")
UNTIL = "2024-06-01T00:00:00+00:00"

PROJECT = """
name: shop
sources:
  customers: {files: customers.csv, nulls: ["", "?"], timeZones: {seen: UTC, letzter Besuch: UTC}}
tables: {visits: visits.sql, region_week: region_week.sql}
examples: {table: visits, key: [Kunde], time: seen, label: {column: left}}
features: features.py
model: {family: logistic}
training: {split: {validation: 14d, test: 21d}, resources: {cpu: 1, memory: 1Gi, gpu: 2}}
environment: {image: "registry.example.com/trimtab:1"}
"""
FEATURES = """
from trimtab.features import Request, View

REQUEST = Request(visits="number", region="string", seen="timestamp")
VIEWS = (View("region_week", by="region", time="known_at", columns={"mean_visits": "region_visits"}),)


def transform(rows):
    return {"visits": rows["visits"], "region_visits": rows["region_visits"]}
"""
WEEKLY = """
select region, date_trunc('week', seen at time zone 'UTC') at time zone 'UTC' + interval 7 day as known_at,
       avg(visits) as mean_visits
from customers group by all
"""


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory):
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


@pytest.fixture(scope="module")
def shop(table, tmp_path_factory, redis_server):
    """The project's folder, and the place where tasks share a volume."""
    root = tmp_path_factory.mktemp("shop")
    folder = root / "shop"
    folder.mkdir()
    (root / "data").mkdir()
    (root / "data" / "customers.csv").write_bytes(table.read_bytes())
    (folder / "trimtab.yaml").write_text(PROJECT)
    (folder / "features.py").write_text(FEATURES)
    (folder / "visits.sql").write_text('select "Kunde", visits, region, seen, "left" from customers')
    (folder / "region_week.sql").write_text(WEEKLY)
    place = {
        "dataRoot": str(root / "data"),
        "projects": (root / "projects").as_uri(),
        "secrets": [{"name": "shop-db", "keys": ["SHOP_URL"]}],
        "pods": {
            "volume": {"claim": "shop", "path": str(root / "volume")},
            "nodeSelector": {"pool": "ml"},
            "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
            "imagePullSecrets": ["pull"],
        },
    }
    platforms = {
        "cluster": place,
        "redis": {**place, "online": redis_server.url},
        "feast": {**place, "online": "http://feast.features.svc:6566"},
    }
    (folder / "platform.yaml").write_text(json.dumps({"platforms": platforms}))
    return folder, root / "volume"


@pytest.fixture(scope="module")
def run(shop, tmp_path_factory):
    """Run a pipeline of the shop as compiled for its platform; its outputs by task, or the failure that is due."""
    from trimtab.adapters.kfp.client import PipelineHost
    from trimtab.adapters.kfp.compile import compile_pipeline
    from trimtab.adapters.projects.archive import archive
    from trimtab.adapters.projects.bundle import pack
    from trimtab.adapters.projects.load import load, load_platform

    folder, _ = shop
    scratch = tmp_path_factory.mktemp("runs")
    loaded = load(folder)
    commit(folder)
    address = archive(pack(loaded, scratch / "bundles"), scratch / "projects").as_uri()
    with PipelineHost(scratch / "host.log") as host:

        def execute(name, *, failing="", platform="cluster", **arguments):
            place = (platform, load_platform(folder, platform))
            ir = compile_pipeline(name, loaded.project, scratch / f"{name}-{platform}.yaml", place)
            events = []
            where = scratch / f"{name}-{len(list(scratch.iterdir()))}"
            ended = host.run(ir, {"project": address, **arguments}, where, events.append)
            tasks = {e["task"]: e for e in events if e["event"] == "task_ended"}
            failed = [(name, task["failure"]) for name, task in tasks.items() if not task["succeeded"]]
            if failing:
                ((task, failure),) = failed
                assert (task, failure["status"]) == (failing, 2)
                return failure["sentence"], where
            assert not failed, failed
            assert ended["succeeded"], ended
            return {name: task["outputs"] for name, task in tasks.items()}, where

        yield execute


@pytest.fixture(scope="module")
def trained(run):
    return run("training", until=UNTIL)


def test_what_a_pipeline_made_tells_the_commit_of_the_checkout_that_was_packed(shop, trained):
    folder, volume = shop
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=folder, capture_output=True, text=True, check=True
    )
    made = [json.loads(path.read_text()) for path in volume.glob(".trimtab/models/*/manifest.json")]
    assert {one["metadata"]["trimtab.commit"] for one in made} == {head.stdout.strip()}


@pytest.fixture
def predictions(shop, trained):
    """The table of predictions as it stands."""

    def read():
        from deltalake import DeltaTable

        table = DeltaTable(str(shop[1] / ".trimtab" / "tables" / "_predictions" / "visits"))
        return table.to_pyarrow_table().to_pylist(), table.version()

    return read


def test_a_run_over_an_address_ends_in_a_version_that_others_find(trained, shop):
    outputs, _ = trained
    assert outputs["register"]["version"] == "1"
    assert outputs["register"]["candidate"] is True
    assert outputs["ingest"]["moment"] == UNTIL
    home = shop[1] / ".trimtab"
    held = (
        sqlite3.connect(home / "mlflow" / "mlflow.db").execute("select source from model_versions").fetchall()
    )
    (digest,) = (path.name for path in (home / "models").iterdir())
    assert held == [(f"pvc://shop/.trimtab/models/{digest}",)]


def test_what_a_ui_draws_is_there(trained):
    _, where = trained
    told = json.loads(next(where.rglob("evaluate/executor_output.json")).read_text())
    curve = told["artifacts"]["curve"]["artifacts"][0]["metadata"]
    points = curve["confidenceMetrics"]
    assert points[0]["falsePositiveRate"] == 0
    assert points[-1]["recall"] == 1
    matrix = curve["confusionMatrix"]
    assert [one["displayName"] for one in matrix["annotationSpecs"]] == ["no", "yes"]
    assert sum(sum(row["row"]) for row in matrix["rows"]) > 0
    card = next(where.rglob("register/card")).read_text()
    assert card.startswith("# shop, version 1: candidate")
    assert "| roc_auc |" in card


def test_predictions_of_a_period_take_the_place_of_those_of_before(run, predictions):
    first, _ = run("batch-prediction", since="2024-05-01T00:00:00+00:00", until=UNTIL)
    rows, version = predictions()
    may = [row["prediction"] for row in rows if row["time"].month == 5]
    assert first["predict"] == {"version": "1", "predicted": len(may)}
    assert all(0 < prediction < 1 for prediction in may)
    again, _ = run("batch-prediction", since="2024-05-01T00:00:00+00:00", until=UNTIL)
    assert again["predict"] == first["predict"]
    assert predictions() == (rows, version)


def test_a_backfill_answers_each_example_of_its_periods_once(run, predictions, table):
    first, last = "2024-03-01T00:00:00", "2024-04-10T00:00:00"
    _, where = run("backfill", since=f"{first}+00:00", until=f"{last}+00:00", every="15d")
    assert len(list(where.rglob("predict*/summary"))) == 3
    rows, _ = predictions()
    filled = [row["id"] for row in rows if row["time"].month in (3, 4)]
    seen = [line.split(",") for line in table.read_text().splitlines()[1:]]
    assert sorted(filled) == [one[0] for one in seen if first <= one[5].replace(" ", "T") < last]


def test_materialization_fills_the_online_store_without_a_model(trained, run, shop):
    store = shop[1] / ".trimtab" / "online.db"
    before = sqlite3.connect(store).execute("select count(*) from latest").fetchone()[0]
    store.unlink()
    outputs, _ = run("materialization", until=UNTIL)
    assert set(outputs) == {"ingest", "build", "validate", "featurize", "materialize", "report"}
    assert sqlite3.connect(store).execute("select count(*) from latest").fetchone()[0] == before > 0


def test_materialization_fills_the_redis_that_the_platform_names(trained, run, shop, redis_server):
    file = sqlite3.connect(shop[1] / ".trimtab" / "online.db")
    held = {
        f"trimtab:shop:{view}:{key}".encode() for view, key in file.execute("select view, key from latest")
    }
    run("materialization", platform="redis", until=UNTIL)
    assert set(redis_server.client().keys("trimtab:shop:*")) == held != set()


def test_materialization_leaves_a_feast_server_to_feast(trained, run):
    _, where = run("materialization", platform="feast", until=UNTIL)
    said = "".join(
        path.read_text() for path in where.rglob("*") if path.is_file() and path.suffix in ("", ".log")
    )
    assert "Feast fills what http://feast.features.svc:6566 reads" in said


@pytest.mark.parametrize(
    ("pipeline", "step", "arguments", "said"),
    [
        ("batch-prediction", "predict", {"until": UNTIL, "model": "9"}, "shop has no version 9"),
        ("batch-prediction", "predict", {"until": UNTIL, "since": UNTIL}, "is not before until"),
        ("batch-prediction", "ingest", {"until": "tomorrow"}, "until 'tomorrow' is no RFC 3339 time"),
        (
            "backfill",
            "periods",
            {"until": UNTIL, "since": "2024-01-01T00:00:00Z", "every": "1m"},
            "more than 1000",
        ),
        ("backfill", "periods", {"until": UNTIL, "since": UNTIL}, "there is no period between"),
    ],
)
def test_what_cannot_be_predicted_is_said(trained, run, pipeline, step, arguments, said):
    sentence, _ = run(pipeline, failing=step, **arguments)
    assert said in sentence


def test_an_address_needs_a_place_that_tasks_share(monkeypatch, tmp_path):
    from trimtab.api.errors import InputRefused
    from trimtab.bootstrap.workplace import Workplace

    monkeypatch.delenv("TRIMTAB_HOME", raising=False)
    with pytest.raises(InputRefused, match="names no folder that all tasks share"):
        Workplace.open("s3://projects/shop-0123456789abcdef.tar.gz")
    monkeypatch.setenv("TRIMTAB_HOME", str(tmp_path))
    with pytest.raises(InputRefused, match="names no bundle"):
        Workplace.open("s3://projects/shop.tar.gz")
