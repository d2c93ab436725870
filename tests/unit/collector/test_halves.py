"""What KServe's agent tells in two events is put together from V1 and V2 bodies."""

import pytest

from trimtab.collector import halves
from trimtab.collector.event import AgentHalf
from trimtab.collector.halves import Halves, rows_of


def half(body, *, response=False, request_id="id"):
    return AgentHalf("rev", "pod", "e", response, request_id, 5, body)


V2_REQUEST = {
    "inputs": [
        {"name": "x", "shape": [2], "datatype": "FP64", "data": [1.5, None]},
        {"name": "c", "shape": [2], "datatype": "BYTES", "data": ["UA", "AA"]},
    ]
}
V1_REQUEST = {"instances": [{"x": 1.5, "c": "UA"}, {"x": None, "c": "AA"}]}
FEATURES = {"x": [1.5, None], "c": ["UA", "AA"]}


@pytest.mark.parametrize("request_body", [V1_REQUEST, V2_REQUEST])
@pytest.mark.parametrize(
    "response_body",
    [
        {"predictions": [0.1, 0.9]},
        {"predictions": [[0.9, 0.1], [0.1, 0.9]]},
        {"outputs": [{"name": "probabilities", "shape": [2, 2], "data": [0.9, 0.1, 0.1, 0.9]}]},
        {"outputs": [{"name": "y", "shape": [2], "data": [0.1, 0.9]}]},
        {
            "outputs": [
                {"name": "label", "data": [0, 1]},
                {"name": "probabilities", "shape": [2], "data": [0.1, 0.9]},
            ]
        },
    ],
)
def test_features_come_from_the_request_and_predictions_from_the_response(request_body, response_body):
    rows = rows_of(half(request_body), half(response_body, response=True))
    assert rows.features == FEATURES
    assert rows.predictions == [0.1, 0.9]
    assert rows.ids == ["id/0", "id/1"]
    assert rows.times == [5, 5]


@pytest.mark.parametrize(
    "body", [None, 5, {}, {"predictions": "x"}, {"predictions": ["x"]}, {"outputs": []}, {"outputs": [1]}]
)
def test_a_response_that_says_nothing_gives_no_rows(body):
    assert rows_of(half(V1_REQUEST), half(body, response=True)) is None


@pytest.mark.parametrize("body", [None, [], {"instances": [[1, 2]]}, {"instances": []}, {"inputs": [{}]}])
def test_a_request_without_names_gives_predictions_alone(body):
    rows = rows_of(half(body), half({"predictions": [0.5]}, response=True))
    assert (rows.features, rows.predictions) == ({}, [0.5])


def test_the_two_meet_in_any_order_and_once():
    waiting = Halves()
    request, response = half(None), half(None, response=True)
    assert waiting.meet(response) == (None, None)
    assert waiting.meet(request) == (response, None)
    assert waiting.meet(request) == (None, None)
    assert waiting.unanswered_us("rev") == [5]


def test_the_oldest_gives_way_when_too_many_wait(monkeypatch):
    monkeypatch.setattr(halves, "MOST_HALVES", 2)
    waiting = Halves()
    ones = [half(None, request_id=f"{number}") for number in range(3)]
    assert [waiting.meet(one)[1] for one in ones] == [None, None, ones[0]]
    assert (len(waiting), waiting.given_up) == (2, 1)
