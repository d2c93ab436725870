"""featurize over real Delta tables: each example as of its own time."""

from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.xdist_group("learning")


def test_no_example_is_lost_and_views_are_read_as_of_its_time(flights: Any, featurized: Any) -> None:
    until = "timestamptz '2013-02-20 12:00:00+00'"
    (expected,) = flights.sql(
        f"select count(*) from departures where scheduled_departure < {until}"
    ).to_pylist()
    assert featurized.pointer.rows == next(iter(expected.values()))
    flights.pointers["made"] = featurized.pointer
    wrong = flights.sql(
        """
        with naive as (
            select d.flight_id,
                (select w.temp from weather w where w.origin = d.origin and w.time_hour <= d.scheduled_departure
                 and w.time_hour >= d.scheduled_departure - interval 3 hour order by w.time_hour desc limit 1) as temp,
                (select c.late_rate from carrier_week c where c.carrier = d.carrier
                 and c.known_at <= d.scheduled_departure and c.known_at >= d.scheduled_departure - interval 14 day
                 order by c.known_at desc limit 1) as late
            from departures d where hash(d.flight_id) % 97 = 0)
        select * from naive join made on flight_id = trimtab_id
        where naive.temp is distinct from made.temp or naive.late is distinct from made.carrier_late"""
    )
    del flights.pointers["made"]
    assert wrong.num_rows == 0


def test_a_label_known_after_until_is_missing(flights: Any, featurized: Any) -> None:
    from trimtab.steps.learning_rows import read_learning_rows

    rows = read_learning_rows(featurized.pointer, flights.engine, flights.tables)
    newest = rows.times > np.datetime64("2013-02-20T10:00", "us")
    assert np.isnan(rows.labels[newest]).all()
    assert featurized.labelled == np.isfinite(rows.labels).sum()
    assert rows.times[rows.usable()].max() <= np.datetime64("2013-02-19T12:00", "us")


def test_featurizing_again_gives_the_same_digest(flights: Any, featurized: Any) -> None:
    assert flights.featurize().pointer.digest == featurized.pointer.digest


def test_without_features_py_every_column_but_key_and_label_is_a_feature(flights: Any) -> None:
    made = flights.featurize(None)
    assert [field.name for field in made.plan.outputs] == [
        "carrier", "origin", "dest", "tailnum", "distance", "local_hour"
    ]  # fmt: skip
    assert made.plan.transform_digest == ""


def test_a_wrong_column_is_named_with_those_that_exist(flights: Any) -> None:
    from trimtab.api.errors import InputRefused

    features = 'from trimtab.features import Request\nREQUEST = Request(carier="string")\n'
    with pytest.raises(InputRefused, match=r"REQUEST names 'carier'.*\n.*carrier") as refused:
        flights.featurize(features)
    assert refused.value.status == 2
    wrong = {"table": "departures", "time": "scheduled_departure", "label": {"column": "late"}}
    with pytest.raises(InputRefused, match=r"examples.label.column names 'late'"):
        flights.featurize(None, examples=wrong)
    viewed = 'from trimtab.features import Request, View\nREQUEST = Request(carrier="string")\n'
    viewed += 'VIEWS = (View("planes", by="carrier", columns=("year",)),)\n'
    with pytest.raises(InputRefused, match=r"table 'planes' has no column 'carrier'"):
        flights.featurize(viewed)
    renamed = viewed.replace("carrier", "tailnum").replace('"year"', '"yaer"')
    with pytest.raises(InputRefused, match=r"VIEWS names the column 'yaer', which table 'planes' lacks"):
        flights.featurize(renamed)


def test_a_view_that_finds_nothing_is_told(small: Any) -> None:
    import pyarrow as pa

    number = {"k": "string", "x": "number"}
    small.add(
        "t", pa.table({"k": ["a", "b"], "x": [1.0, 2.0], "y": [True, False]}), {**number, "y": "boolean"}
    )
    small.add("shops", pa.table({"k": ["A", "B"], "x": [1.0, 2.0]}), number)
    features = """from trimtab.features import Request, View
REQUEST = Request(k="string", x="number")
VIEWS = (View("shops", by="k", columns={"x": "size"}),)
"""
    examples = {"table": "t", "key": ["k"], "label": {"column": "y"}}
    made = small.featurize(features, None, tables={"t": "t.sql"}, examples=examples, evaluation={})
    assert made.warnings == (
        "feature 'size' has no value in any of 2 rows; see by, time and max_age of the view of 'shops', and what "
        "that table holds, or leave it out",
    )


def test_a_key_that_comes_twice_is_refused(small: Any) -> None:
    import pyarrow as pa

    from trimtab.api.errors import DataRefused

    small.add("t", pa.table({"id": ["a", "b", "a"], "x": [1.0, 2.0, 3.0], "y": [True, False, True]}),
              {"id": "string", "x": "number", "y": "boolean"})  # fmt: skip
    examples = {"table": "t", "key": ["id"], "label": {"column": "y"}}
    with pytest.raises(DataRefused, match="key 'a' comes 2 times"):
        small.featurize(None, None, tables={"t": "t.sql"}, examples=examples, evaluation={})
