"""Rows 7, 8 and 9: Feast's own stores beside trimtab's, through Feast's SDK and below it.

One feature view of 20 float64 columns over 10,000 keys, a row a key and day for 20 days. Online: ten keys by twenty
features from SQLite. Materialisation: the newest row of every key into the online store. Point in time: 100,000
examples, a tenth of them before the first row of their key, which must not be lost. Wall seconds, the least of the
rounds; Feast's DuckDB store runs in an environment of its own (it needs ibis).

    python benchmarks/feast_stores.py [--quick]
"""

import argparse
import hashlib
import io
import os
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from beside import isolated, table, times_over, versions
from pyarrow import parquet

os.environ["FEAST_USAGE"] = "False"
FEATURES = [f"f{j}" for j in range(20)]
KEYS, DAYS = 10_000, 20
START = datetime(2025, 1, 1, tzinfo=UTC)
END = START + timedelta(days=DAYS)

STORE = """
import os
os.environ["FEAST_USAGE"] = "False"
import json, sys, time, warnings
warnings.filterwarnings("ignore")
from datetime import datetime, timedelta, timezone
from pathlib import Path
import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig, ValueType
from feast.types import Float64

def stock(folder, offline, features, online=None):
    config = RepoConfig(
        repo_path=folder, project="bench", provider="local", entity_key_serialization_version=3,
        registry={"registry_type": "sql", "path": f"sqlite:///{folder}/{offline}.db"},
        offline_store={"type": offline},
        online_store=online or {"type": "sqlite", "path": f"{folder}/{offline}-online.db"})
    store = FeatureStore(config=config)
    key = Entity(name="key", join_keys=["key"], value_type=ValueType.STRING)
    source = FileSource(name="rows", path=f"{folder}/rows.parquet", timestamp_field="at")
    view = FeatureView(name="facts", entities=[key], ttl=timedelta(days=400), source=source,
                       schema=[Field(name=name, dtype=Float64) for name in features])
    store.apply([key, view])
    return store

def historical(store, folder, features):
    asked = pd.read_parquet(f"{folder}/asked.parquet")
    wanted = [f"facts:{name}" for name in features]
    taken = []
    for _ in range(3):
        began = time.perf_counter()
        found = store.get_historical_features(entity_df=asked, features=wanted).to_df()
        taken.append(time.perf_counter() - began)
    return min(taken), len(asked) - len(found)
"""
DUCKDB = (
    STORE
    + """
folder, features = sys.argv[1], sys.argv[2].split(",")
seconds, lost = historical(stock(folder, "duckdb", features), folder, features)
from importlib.metadata import version
print(json.dumps({"s": seconds, "lost": lost, "version": version("feast") + ", duckdb " + version("duckdb")}))
"""
)


def least(act: Callable[[], object], rounds: int) -> float:
    """Least wall seconds of a call; the first is not counted."""
    act()
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        act()
        taken.append(time.perf_counter() - began)
    return min(taken)


def rows() -> pa.Table:
    draw = np.random.default_rng(7)
    days = np.repeat(np.arange(DAYS), KEYS)
    at = np.datetime64(START.replace(tzinfo=None), "us") + days.astype("timedelta64[D]")
    keys = np.tile([f"k{key:05d}" for key in range(KEYS)], DAYS)
    columns = {name: draw.normal(size=len(keys)) for name in FEATURES}
    return pa.table({"key": keys, "at": pa.array(at, pa.timestamp("us", tz="UTC")), **columns})


def asked(count: int) -> pa.Table:
    draw = np.random.default_rng(8)
    seconds = draw.integers(
        -DAYS * 8_640, DAYS * 86_400, count
    )  # a tenth as long before the first row as after
    at = np.datetime64(START.replace(tzinfo=None), "us") + seconds.astype("timedelta64[s]")
    keys = [f"k{key:05d}" for key in draw.integers(0, KEYS, count)]
    return pa.table({"key": keys, "event_timestamp": pa.array(at, pa.timestamp("us", tz="UTC"))})


def ours(folder: Path, online: Path | str) -> tuple[Any, Any]:
    """(Feast's SDK over trimtab's stores, the address of the Delta table)."""
    from deltalake import write_deltalake
    from feast import Entity, FeatureView, Field, FileSource, ValueType
    from feast.data_format import DeltaFormat
    from feast.types import Float64

    from trimtab.adapters.feast.as_of_reader import DeltaAddress
    from trimtab.adapters.feast.registration import feature_store

    path = str(folder / "delta")
    write_deltalake(path, rows())
    store = feature_store("bench", folder / "ours", online)
    key = Entity(name="key", join_keys=["key"], value_type=ValueType.STRING)
    source = FileSource(name="rows", path=path, file_format=DeltaFormat(), timestamp_field="at")
    schema = [Field(name=name, dtype=Float64) for name in FEATURES]
    store.apply(
        [
            key,
            FeatureView(name="facts", entities=[key], ttl=timedelta(days=400), schema=schema, source=source),
        ]
    )
    return store, DeltaAddress(path)


def online(store: Any, rounds: int) -> float:
    """Median wall seconds of a read of ten keys by twenty features."""
    wanted, entities = [f"facts:{name}" for name in FEATURES], [{"key": f"k{key:05d}"} for key in range(10)]
    taken = []
    for _ in range(rounds):
        began = time.perf_counter()
        answer = store.get_online_features(features=wanted, entity_rows=entities).to_dict()
        taken.append(time.perf_counter() - began)
    assert answer["f0"][0] is not None
    return float(np.median(taken))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    reads, examples = (50, 10_000) if quick else (500, 100_000)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        parquet.write_table(rows(), folder / "rows.parquet")
        parquet.write_table(asked(examples), folder / "asked.parquet")
        digest = hashlib.sha256((folder / "rows.parquet").read_bytes()).hexdigest()[:12]
        measured(folder, digest, reads, examples, 1 if quick else 3)


def measured(folder: Path, digest: str, reads: int, examples: int, rounds: int) -> None:
    from trimtab.adapters.feast.as_of_reader import as_of
    from trimtab.adapters.feast.materialise import materialise
    from trimtab.adapters.feast.views import planned
    from trimtab.adapters.online import SqliteOnlineStore

    names: dict[str, Any] = {}
    exec(STORE, names)
    stock = names["stock"](str(folder), "dask", FEATURES)
    store, address = ours(folder, folder / "packed.db")
    view = planned(store.get_feature_view("facts"))

    with redirect_stdout(io.StringIO()):  # Feast tells of its progress there
        theirs_write = least(lambda: stock.materialize(START, END), 1)
        sdk_write = least(lambda: store.materialize(START, END), rounds)
    packed = SqliteOnlineStore(folder / "direct.db")
    fresh = iter(range(1_000))

    def direct() -> None:
        into = SqliteOnlineStore(folder / f"fresh-{next(fresh)}.db")
        materialise([view], {"facts": address}, {"key": "string"}, into)
        into.close()

    direct_write = least(direct, rounds)
    materialise([view], {"facts": address}, {"key": "string"}, packed)

    keys = [f"k{key:05d}" for key in range(10)]
    theirs_read, sdk_read = online(stock, reads), online(store, reads)
    taken = []
    for start in range(reads):
        wanted = [f"k{(start * 10 + key) % KEYS:05d}" for key in range(10)]
        began = time.perf_counter()
        packed.read([("facts", wanted)])
        taken.append(time.perf_counter() - began)
    direct_read = float(np.median(taken))
    assert len(packed.read([("facts", keys)])[0].times) == 10
    packed.close()

    print(table(["ten keys by twenty features, online", "p50 ms", "Feast's over it"], [
        ["Feast's SQLite store, through its SDK", f"{theirs_read * 1e3:.2f}", ""],
        ["trimtab's store, through Feast's SDK", f"{sdk_read * 1e3:.2f}", times_over(theirs_read, sdk_read)],
        ["trimtab's store, as a server reads", f"{direct_read * 1e3:.3f}", times_over(theirs_read, direct_read)],
    ]))  # fmt: skip
    print("\nTarget: at least 5x through Feast's own API.\n")
    print(table([f"materialise {KEYS:,} keys by twenty features", "rows/s", "over Feast's"], [
        ["Feast's SQLite store", f"{KEYS / theirs_write:,.0f}", ""],
        ["trimtab's stores, through Feast's SDK", f"{KEYS / sdk_write:,.0f}", times_over(theirs_write, sdk_write)],
        ["trimtab's materialisation", f"{KEYS / direct_write:,.0f}", times_over(theirs_write, direct_write)],
    ]))  # fmt: skip
    print(f"\nRead from {KEYS * DAYS:,} rows each. Target: at least 20x.\n")

    theirs, lost = names["historical"](stock, str(folder), FEATURES)
    sdk, sdk_lost = names["historical"](store, str(folder), FEATURES)
    duck = isolated(["feast[duckdb]==0.67.0", "pandas<3"], DUCKDB, [str(folder), ",".join(FEATURES)])
    held = parquet.read_table(folder / "asked.parquet")
    examples_table = pa.table({
        "key": held["key"], "trimtab_time": held["event_timestamp"], "trimtab_row": np.arange(held.num_rows),
    })  # fmt: skip
    found = as_of(examples_table, [view], {"facts": address}, {"key": "string"})
    direct_join = least(lambda: as_of(examples_table, [view], {"facts": address}, {"key": "string"}), rounds)
    print(table([f"{examples:,} examples by twenty features, point in time", "s", "rows lost", "over trimtab's"], [
        ["Feast's dask store", f"{theirs:.2f}", f"{lost:,}", times_over(theirs, sdk)],
        [f"Feast's duckdb store {duck['version'] if duck else ''}", f"{duck['s']:.2f}" if duck else "not measured",
         f"{duck['lost']:,}" if duck else "", times_over(duck["s"] if duck else None, sdk)],
        ["trimtab's store, through Feast's SDK", f"{sdk:.2f}", f"{sdk_lost:,}", ""],
        ["trimtab's reader, as featurize uses it", f"{direct_join:.2f}", f"{examples - found.num_rows:,}",
         times_over(direct_join, sdk)],
    ]))  # fmt: skip
    print("\nTarget: dask at least 5x, duckdb at least 3x, no row lost.\n")
    print(f"{versions('feast', 'duckdb', 'deltalake')}; rows {digest}")


if __name__ == "__main__":
    main()
