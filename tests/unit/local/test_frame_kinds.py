"""Data frames in, the same kind out."""

from datetime import UTC, datetime

import numpy as np
import pytest

from trimtab.api.errors import DataRefused, InputRefused
from trimtab.local.frame_kinds import as_arrow, columns_of, like


@pytest.fixture(scope="module")
def frames():
    import pandas as pd
    import pyarrow as pa

    return pd, pa


def test_pandas_comes_back_as_pandas_with_its_index(frames):
    pd, pa = frames
    given = pd.DataFrame({"x": [1.0, 2.0]}, index=["a", "b"])
    answer = like(given, pa.table({"prediction": [0.1, 0.2]}))
    assert isinstance(answer, pd.DataFrame)
    assert list(answer.index) == ["a", "b"]
    assert as_arrow(given).column("x").to_pylist() == [1.0, 2.0]


def test_arrow_and_dicts_come_back_as_they_are(frames):
    _, pa = frames
    made = pa.table({"prediction": [0.1]})
    assert like(pa.table({"x": [1]}), made) is made
    assert like({"x": [1]}, made)["prediction"].tolist() == [0.1]
    assert as_arrow(pa.record_batch({"x": [1]})).column_names == ["x"]


class Capsule:
    """What polars is to us: something that streams Arrow."""

    def __init__(self, table):
        self._table = table

    def __arrow_c_stream__(self, requested_schema=None):
        return self._table.__arrow_c_stream__(requested_schema)


def test_anything_that_streams_arrow_is_a_table(frames):
    _, pa = frames
    assert as_arrow(Capsule(pa.table({"x": [1, 2]}))).num_rows == 2


@pytest.mark.parametrize("given", [[1, 2], "rows.csv", None, 7])
def test_what_is_no_table_is_refused_by_its_type(given):
    with pytest.raises(InputRefused, match=f"a {type(given).__name__} is no table"):
        as_arrow(given)


def test_each_kind_is_taken_with_its_missing_values(frames):
    _, pa = frames
    table = pa.table({
        "n": pa.array([1, None], pa.int32()),
        "s": pa.array(["a", None]).dictionary_encode(),
        "b": pa.array([True, None]),
        "t": pa.array([datetime(2024, 1, 1, tzinfo=UTC), None]),
        "more": [1, 2],
    })  # fmt: skip
    made = columns_of(
        table, {"n": "number", "s": "string", "b": "boolean", "t": "timestamp"}, {"absent": "number"}
    )
    assert list(made) == ["n", "s", "b", "t"]
    assert made["n"][0] == 1
    assert np.isnan(made["n"][1])
    assert made["s"].tolist() == ["a", ""]
    assert made["b"][0] == 1
    assert made["t"][0] == np.datetime64("2024-01-01", "us")
    assert np.isnat(made["t"][1])


@pytest.mark.parametrize(
    ("column", "kind", "said"),
    [
        (["x"], "number", "holds string, which is no number"),
        ([datetime(2024, 1, 1, tzinfo=UTC).replace(tzinfo=None)], "timestamp", "without a zone"),
    ],
)
def test_a_column_of_another_kind_is_named(frames, column, kind, said):
    _, pa = frames
    with pytest.raises(DataRefused, match=said) as refused:
        columns_of(pa.table({"field": column}), {"field": kind}, {})
    assert "'field'" in refused.value.message


def test_a_missing_column_is_named_with_what_the_model_takes(frames):
    _, pa = frames
    with pytest.raises(DataRefused, match="lacks 'y'") as refused:
        columns_of(pa.table({"x": [1]}), {"x": "number", "y": "number"}, {})
    assert "x, y" in refused.value.remedy
