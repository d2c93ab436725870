"""V1's explain over real HTTP: shares that add up, a stated cost, and no trace among predictions."""

import json
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from .conftest import BACKGROUND, CARRIERS, EXPECTED, MODEL, Server, columns, expected, v1

pytestmark = pytest.mark.xdist_group("serving")
PATH = f"/v1/models/{MODEL}:explain"


def test_each_row_is_explained_and_its_shares_add_up(server: Server):
    reply = server.send("POST", PATH, v1(columns()))
    assert reply.status == 200, reply.body
    assert reply.json["predictions"] == [pytest.approx(p, abs=1e-6) for p in EXPECTED]
    rows = [dict(zip(BACKGROUND, values, strict=True)) for values in zip(*BACKGROUND.values(), strict=True)]
    usual = [
        expected(r["hour"], r["distance"], r["temp"], r["carrier_rate"], r["holiday"], r["carrier"])
        for r in rows
    ]
    for told, p in zip(reply.json["explanations"], EXPECTED, strict=True):
        assert told["answer"] == pytest.approx(p, abs=1e-6)
        assert told["class"] == "1"
        assert told["attributions"].keys() == BACKGROUND.keys()
        assert sum(told["attributions"].values()) == pytest.approx(
            told["answer"] - told["baseline"], abs=1e-6
        )
        assert min(usual) < told["baseline"] < max(usual)
    cost = reply.json["cost"]
    assert cost["model_rows"] == len(EXPECTED) * 32 * (len(BACKGROUND) + 1)
    assert (cost["permutations"], cost["background_rows"]) == (32, 3)
    assert cost["milliseconds"] > 0


def test_the_same_request_is_explained_alike_and_more_permutations_are_surer(server: Server):
    first, again = (server.send("POST", PATH, v1(columns())).json["explanations"] for _ in range(2))
    assert first == again
    surer = server.send("POST", PATH, {**v1(columns()), "permutations": 512}).json["explanations"]
    assert max(surer[0]["standard_errors"].values()) < max(first[0]["standard_errors"].values())


def test_finished_features_are_explained_as_they_are(server: Server):
    features = {name: values[0] for name, values in BACKGROUND.items()}
    features["carrier"] = next(iter(CARRIERS))
    reply = server.send("POST", PATH, {"instances": [features], "features": True})
    assert reply.status == 200, reply.body
    (told,) = reply.json["explanations"]
    assert sum(told["attributions"].values()) == pytest.approx(told["answer"] - told["baseline"], abs=1e-6)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"permutations": 3}, "an even number from 2 to 1024"),
        ({"permutations": "many"}, "must be a whole number"),
        (
            {"permutations": 1024, "instances": v1(columns())["instances"] * 50},
            "50000 are the most; send 6 rows",
        ),
        ({"instances": []}, "at least one row"),
        ({"instances": [{"carrier": 3}]}, "input"),
    ],
)
def test_what_cannot_be_explained_is_refused_with_what_can(server: Server, body, said):
    reply = server.send("POST", PATH, {**v1(columns()), **body})
    assert reply.status == 400
    assert said in reply.json["error"]


def test_explanations_are_counted_apart_and_predictions_go_on_meanwhile(server: Server):
    before = server.logged()
    told = server.send("GET", "/metrics").body.decode()
    heavy = {"instances": v1(columns())["instances"] * 3, "permutations": 1024}
    with ThreadPoolExecutor(6) as pool:
        explained = [pool.submit(server.send, "POST", PATH, heavy) for _ in range(4)]
        predicted = [pool.submit(server.predict, v1(columns())) for _ in range(20)]
        assert {reply.result().status for reply in explained + predicted} == {200}
    assert server.logged()["handled"] - before["handled"] == 20
    now = server.send("GET", "/metrics").body.decode()

    def explanations(text):
        return float(text.split("\ntrimtab_explanations_total{")[1].split("\n")[0].split()[-1])

    assert explanations(now) - explanations(told) == 4 * len(heavy["instances"])


def test_a_folder_without_background_predicts_and_says_why_it_does_not_explain(start, folder, tmp_path):
    from shutil import copytree

    from .conftest import write_manifest

    bare = copytree(folder, tmp_path / "bare")
    (bare / "background.json").unlink()
    write_manifest(bare)
    server = start(of=bare)
    row = {name: values[0] for name, values in BACKGROUND.items()}
    body = json.loads(json.dumps({"instances": [row], "features": True}))
    assert server.predict(body).status == 200
    reply = server.send("POST", PATH, body)
    assert reply.status == 400
    assert "export it again" in reply.json["error"]
    assert np.isfinite(server.predict(body).json["predictions"]).all()
