"""Online features over HTTP, from a real `feast serve`: what the model server reads of it is what the store holds."""

import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import numpy as np
import pytest

from tests.contract.feast.feast_serve import feast_serve
from trimtab.adapters.online import SqliteOnlineStore, online_reader
from trimtab.adapters.online.feast_server import FeastServer
from trimtab.api.errors import SurroundingsFailed
from trimtab.features.inputs import entity_keys
from trimtab.features.plan import PlannedColumn, PlannedView

pytestmark = pytest.mark.xdist_group("feast")
BEFORE = datetime(2013, 2, 20, 12, tzinfo=UTC)


@pytest.fixture(scope="module")
def filled(registered):
    """The packed store under the registered views, and a request's columns."""
    from trimtab.adapters.feast.materialise import materialise

    store = SqliteOnlineStore(registered.online)
    materialise(registered.plan.views, registered.tables, registered.key_kinds, store, BEFORE)
    rows = registered.shop.sql("select * from departures order by hash(flight_id) limit 40").to_pandas()
    columns = {name: rows[name].to_numpy(object) for name in ("carrier", "origin", "tailnum")}
    columns["carrier"][3], columns["tailnum"][5] = "nobody", ""
    yield store, columns
    store.close()


@pytest.fixture(scope="module")
def address(registered, filled, tmp_path_factory) -> Iterator[str]:
    with feast_serve(tmp_path_factory.mktemp("serve"), registered) as uri:
        yield uri


def failure(reader, wanted=(("week", ["UA"]),)):
    with pytest.raises(SurroundingsFailed) as caught:
        reader.read(wanted)
    assert caught.value.remedy
    return caught.value


def reader(uri, view="week", columns=(("rate", "number"),), by=("carrier",), within_s=60.0):
    planned = PlannedView(
        view, by, None, None, tuple(PlannedColumn(name, name, kind) for name, kind in columns)
    )
    return FeastServer(uri, [planned], {"carrier": "string", "num": "number"}, within_s)


def test_what_is_read_of_the_server_is_what_its_store_holds(registered, filled, address):
    store, columns = filled
    served = FeastServer(address, registered.plan.views, registered.key_kinds, 60.0)
    wanted = [(view.name, entity_keys(view, columns)) for view in registered.plan.views]
    ours, theirs = store.read(wanted), served.read(wanted)
    assert {type(online_reader(address, registered.plan))} == {FeastServer}
    for view, held, found in zip(registered.plan.views, ours, theirs, strict=True):
        np.testing.assert_array_equal(
            found.times, held.times.astype("datetime64[s]").astype("datetime64[us]")
        )
        for column in view.columns:
            np.testing.assert_array_equal(
                found.columns[column.source],
                held.columns[column.source],
                err_msg=f"{view.name}.{column.source}",
            )
            assert found.columns[column.source].dtype == held.columns[column.source].dtype
        if view.by == ("carrier",):
            assert np.isnat(found.times).tolist() == [row == 3 for row in range(40)]


def test_keys_of_different_rows_are_asked_for_apart(registered, filled, address):
    store, _ = filled
    served = FeastServer(address, registered.plan.views, registered.key_kinds, 60.0)
    of = {view.by: view.name for view in registered.plan.views}
    origins, carriers = of[("origin",)], of[("carrier",)]
    wanted = [
        (origins, ["JFK", None, "LGA"]), (carriers, ["UA", "AA", None]), (origins, ["EWR"]), ("nobody", ["x"]),
        (origins, ["LGA", "JFK", "EWR"]),
    ]  # fmt: skip
    for held, found in zip(store.read(wanted), served.read(wanted), strict=True):
        np.testing.assert_array_equal(np.isnat(found.times), np.isnat(held.times))
        for name, values in held.columns.items():
            np.testing.assert_array_equal(found.columns[name], values)


def test_nothing_is_asked_for_null_keys():
    (found,) = reader("http://127.0.0.1:1").read([("week", [None, None])])
    assert np.isnat(found.times).all()
    assert np.isnan(found.columns["rate"]).all()


def test_a_view_or_a_column_that_feast_does_not_know_is_told_in_its_words(address):
    said = failure(reader(address))
    assert said.message.startswith(f"Feast's feature server at {address} refused: 404: ")
    assert "week does not exist in project flights" in said.message
    assert "features.py" in said.remedy
    said = failure(reader(address, "carrier_week"), [("carrier_week", ["UA"])])
    assert "Feature rate not found in projection carrier_week" in said.message


def test_a_server_that_is_not_there():
    said = failure(reader("http://127.0.0.1:1"))
    assert said.message.startswith("Feast's feature server at http://127.0.0.1:1 does not answer")


class Fake(BaseHTTPRequestHandler):
    """What a real server would not say to order."""

    status, body, wait_s = 200, b"", 0.0
    asked: ClassVar[list[object]] = []

    def do_POST(self) -> None:
        self.asked.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
        self.server.leave.wait(self.wait_s)  # type: ignore[attr-defined]
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def fake() -> Iterator[tuple[type[Fake], str]]:
    handler = type("Once", (Fake,), {"asked": []})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.leave = threading.Event()  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield handler, f"http://127.0.0.1:{server.server_address[1]}"
        server.leave.set()  # type: ignore[attr-defined]
        server.shutdown()


def test_a_server_that_hangs_is_waited_for_no_longer_than_said(fake):
    handler, uri = fake
    handler.wait_s = 60.0
    began = time.monotonic()
    assert "does not answer" in failure(reader(uri, within_s=0.5)).message
    assert time.monotonic() - began < 30


ANSWER = (
    b'{"metadata": {"feature_names": ["carrier", "week__rate"]}, "results": [{}, '
    b'{"values": [%s], "statuses": ["PRESENT"], "event_timestamps": ["2025-01-01T00:00:00Z"]}]}'
)


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (503, b"upstream is away", "refused: 503: upstream is away"),
        (422, b'{"detail": [{"msg": "Field required"}]}', "Field required"),
        (200, b"<html>", "is not Feast's feature server"),
        (200, b"[]", "is not understood"),
        (200, b'{"metadata": {"feature_names": []}, "results": []}', "is not understood"),
        (
            200,
            ANSWER % b'"warm"',
            "week:rate is number in the model's plan, and 'warm' in its answer",
        ),
        (200, ANSWER % b"", "is not understood"),
    ],
)
def test_answers_that_cannot_be_taken(fake, status, body, said):
    handler, uri = fake
    handler.status, handler.body = status, body
    assert said in failure(reader(uri)).message


def test_what_is_asked_is_what_feast_understands(fake):
    handler, uri = fake
    rate = {
        "values": [0.5, 0.25, None],
        "statuses": ["PRESENT"] * 3,
        "event_timestamps": ["2025-01-01T00:00:00Z"] * 3,
    }
    answer = {"metadata": {"feature_names": ["num", "week__rate"]}, "results": [{}, rate]}
    handler.body = json.dumps(answer).encode()
    (found,) = reader(uri, by=("num",)).read([("week", ["7", "7.5", None])])
    assert handler.asked == [
        {"features": ["week:rate"], "entities": {"num": [7, 7.5, 0]}, "full_feature_names": True}
    ]
    np.testing.assert_array_equal(found.columns["rate"], [0.5, 0.25, np.nan])
    assert np.isnat(found.times).tolist() == [False, False, True]
