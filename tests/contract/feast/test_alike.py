"""Feast's SDK and trimtab read alike: the same values, from the same rows."""

import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.xdist_group("feast")

BEFORE = datetime(2013, 2, 20, 12, tzinfo=UTC)


def entity_frame(registered: Any, rows: int) -> Any:
    import pandas as pd

    frame = registered.shop.sql(
        f"select * from departures where scheduled_departure < timestamptz '{BEFORE.isoformat()}' "
        f"order by hash(flight_id) limit {rows}"
    ).to_pandas()
    keys = {name: frame[name] for name in ("flight_id", "carrier", "origin", "tailnum")}
    request = {f"request__{name}": frame[name] for name in registered.key_kinds}
    return pd.DataFrame({**keys, "event_timestamp": frame["scheduled_departure"], **request})


def test_feasts_history_is_our_features_table(registered: Any) -> None:
    asked = entity_frame(registered, 3_000)
    service = registered.store.get_feature_service("flights")
    answer = registered.store.get_historical_features(entity_df=asked, features=service).to_df()
    assert len(answer) == len(asked)
    made = registered.shop.featurize().pointer
    registered.shop.pointers["made"] = made
    ours = registered.shop.sql("select * from made").to_pandas().set_index("trimtab_id")
    del registered.shop.pointers["made"]
    ours = ours.loc[answer["flight_id"]]
    for field in registered.plan.outputs:
        given, expected = answer[f"out__{field.name}"], ours[field.name]
        if field.type == "string":
            assert given.fillna("").tolist() == expected.fillna("").tolist()
        else:
            np.testing.assert_array_equal(given.to_numpy(float), expected.to_numpy(float), err_msg=field.name)


def test_feast_and_we_leave_the_same_bytes_in_the_online_store(registered: Any) -> None:
    from trimtab.adapters.feast.materialise import materialise
    from trimtab.adapters.feast.registration import feature_store
    from trimtab.adapters.online import SqliteOnlineStore

    theirs, ours = registered.shop.root / "theirs.db", registered.shop.root / "ours.db"
    feast = feature_store("flights", registered.shop.root / "feast", theirs)
    feast.materialize(datetime(2012, 1, 1, tzinfo=UTC), BEFORE)
    store = SqliteOnlineStore(ours)
    written = materialise(registered.plan.views, registered.tables, registered.key_kinds, store, BEFORE)
    contents = []
    for path in (theirs, ours):
        with sqlite3.connect(path) as connection:
            contents.append(connection.execute("select * from latest order by view, key").fetchall())
    assert contents[0] == contents[1]
    assert len(contents[0]) == sum(written.values()) > 3_000
    assert (
        materialise(registered.plan.views, registered.tables, registered.key_kinds, store, BEFORE) == written
    )


def test_feast_and_we_leave_the_same_bytes_in_redis(registered: Any, redis_server: Any) -> None:
    import redis

    from trimtab.adapters.feast.materialise import materialise
    from trimtab.adapters.feast.registration import feature_store
    from trimtab.adapters.online import online_store

    theirs, ours = (redis_server.url[:-1] + database for database in "12")
    feast = feature_store("flights", registered.shop.root / "feast", theirs)
    feast.materialize(datetime(2012, 1, 1, tzinfo=UTC), BEFORE)
    store = online_store(ours, "flights")
    written = materialise(registered.plan.views, registered.tables, registered.key_kinds, store, BEFORE)
    contents = []
    for address in (theirs, ours):
        client = redis.Redis.from_url(address)
        keys = sorted(client.keys("trimtab:flights:*"))
        contents.append((client.hgetall("trimtab:flights"), dict(zip(keys, client.mget(keys), strict=True))))
    assert contents[0] == contents[1]
    assert len(contents[0][1]) == sum(written.values()) > 3_000
    rows = [{"carrier": "UA", "origin": "JFK", "tailnum": "nobody"}]
    view = next(view for view in registered.plan.views if view.by == ("carrier",))
    column = view.columns[0]
    answer = feast.get_online_features([f"{view.name}:{column.name}"], rows).to_dict()
    (found,) = store.read([(view.name, ["UA"])])
    assert answer[column.name] == found.columns[column.source].tolist()


def test_feast_reads_online_what_our_server_reads(registered: Any) -> None:
    from trimtab.adapters.feast.materialise import materialise
    from trimtab.adapters.online import SqliteOnlineStore
    from trimtab.features import load_features
    from trimtab.features.inputs import entity_keys, placed

    store = SqliteOnlineStore(registered.online)
    materialise(registered.plan.views, registered.tables, registered.key_kinds, store, BEFORE)
    asked = entity_frame(registered, 40)
    rows = asked.drop(columns=["flight_id", "event_timestamp"]).to_dict("records")
    rows[3]["carrier"] = "nobody"
    service = registered.store.get_feature_service("flights")
    theirs = registered.store.get_online_features(features=service, entity_rows=rows).to_dict()

    from trimtab.adapters.feast.objects import as_columns

    request = as_columns(asked, registered.key_kinds, {})
    looked_up = {**request, "carrier": request["carrier"].copy()}
    looked_up["carrier"][3] = "nobody"
    found = store.read([(view.name, entity_keys(view, looked_up)) for view in registered.plan.views])
    inputs = dict(request)
    for view, rows_of_view in zip(registered.plan.views, found, strict=True):
        inputs |= placed(view, rows_of_view.times, rows_of_view.columns, None)
    ours = load_features(registered.shop.features_py).features(inputs)
    assert np.isnan(ours["carrier_late"][3])
    for name, values in ours.items():
        given = theirs[f"out__{name}"]
        if values.dtype == object:
            assert [value or "" for value in given] == values.tolist()
        else:
            np.testing.assert_array_equal(np.array(given, float), values, err_msg=name)


def test_the_reader_of_history_loads_no_feast() -> None:
    modules = "trimtab.adapters.feast.as_of_reader, trimtab.adapters.feast.materialise"
    source = f"import sys, {modules}; print('feast' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
