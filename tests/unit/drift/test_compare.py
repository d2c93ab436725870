import json
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pytest

from trimtab.api.errors import DataRefused
from trimtab.drift import Override, Profile, Settings, compare, learn_profile

ROWS = 3_000


def table(seed=0, shift=0.0, rows=ROWS):
    rng = np.random.default_rng(seed)
    return {
        "price": rng.lognormal(shift, 1, rows),
        "count": rng.poisson(3 + shift, rows),
        "paid": rng.random(rows) < 0.4,
        "city": np.array(["Oslo", "Rome", "Bonn", None], object)[rng.choice(4, rows, p=[0.5, 0.3, 0.1, 0.1])],
        "sold_at": np.datetime64("2026-01-01", "us") + (np.arange(rows) * 864_000_000).astype("m8[us]"),
    }


@pytest.fixture(scope="module")
def arrow():
    import pyarrow

    return pyarrow


@pytest.fixture(scope="module")
def pandas():
    import pandas

    return pandas


def test_a_table_like_the_reference_is_stable():
    report = compare(table(0), table(1))
    assert report.answer == "stable"
    assert all(one.p_value is None for one in report.verdict.columns)


def test_a_moved_table_has_drifted():
    report = compare(table(0), table(1, shift=0.5))
    assert report.answer == "drifted"
    assert "price" in [one.column for one in report.drifted_columns]


def test_too_few_rows_are_too_little_to_say():
    assert compare(table(0), table(1, rows=10)).answer == "unknown"


def test_small_tables_do_not_drift_by_chance():
    """100 rows: KS is often above its floor of 0.1, and means nothing."""
    settings = Settings(min_rows=100, overrides=(Override("sold_at", ignore=True),))
    found = [compare(table(0), table(seed, rows=120), settings=settings).answer for seed in range(1, 31)]
    assert found.count("drifted") <= 1


def test_frames_of_all_kinds_say_the_same(arrow, pandas):
    before, now = table(0), table(1, shift=0.3)
    expected = json.loads(compare(before, now).to_json())["columns"]
    for kind in (arrow.table, pandas.DataFrame):
        assert json.loads(compare(kind(before), kind(now)).to_json())["columns"] == expected


def test_arrow_types_of_every_kind_are_read_or_named(arrow):
    from datetime import date, time, timedelta
    from decimal import Decimal

    held = {
        "int8": arrow.array([1, None, 3] * 50, arrow.int8()),
        "decimal": arrow.array([Decimal("1.5"), None, Decimal("2.5")] * 50),
        "date": arrow.array([date(2026, 1, 1), None, date(2026, 1, 2)] * 50),
        "time": arrow.array([time(1, 2, 3), None, time(4)] * 50),
        "duration": arrow.array([timedelta(seconds=1), None, timedelta(days=2)] * 50),
        "zoned": arrow.array([1, None, 3] * 50, arrow.timestamp("ns", "Europe/Rome")),
        "flag": arrow.array([True, None, False] * 50),
        "nothing": arrow.nulls(150),
        "large": arrow.array(["a", None, "b"] * 50, arrow.large_string()),
        "dictionary": arrow.array(["a", None, "b"] * 50).dictionary_encode(),
        "numbers by code": arrow.array([1.5, None, 2.5] * 50).dictionary_encode(),
        "list": arrow.array([[1], None, [2]] * 50),
        "bytes": arrow.array([b"a", None, b"b"] * 50),
    }
    report = compare(arrow.table(held), arrow.table(held))
    assert set(report.notes) == {"list", "bytes"}
    missing = {one.column: one.missing for one in report.verdict.columns}
    assert missing.pop("nothing") == 1.0
    assert set(missing.values()) == {1 / 3}


def test_chunks_with_their_own_dictionaries_are_one_column(arrow):
    chunks = arrow.chunked_array(
        [arrow.array(part).dictionary_encode() for part in (["a", "b"] * 60, ["b", "c"] * 60)]
    )
    report = compare(arrow.table({"x": chunks}), arrow.table({"x": chunks}))
    assert report.sketches["x"].counts == {"b": 120, "a": 60, "c": 60}


def test_columns_of_one_side_are_named():
    before, now = table(0), table(1)
    del now["price"], before["paid"]
    notes = compare(before, now).notes
    assert notes == {"price": "only in the reference", "paid": "only in the current table"}


def test_a_column_that_became_null_has_drifted(arrow):
    before, now = table(0), table(1)
    held = arrow.table(now).set_column(3, "city", arrow.nulls(ROWS)).set_column(0, "price", arrow.nulls(ROWS))
    report = compare(arrow.table(before), held)
    assert {one.column for one in report.drifted_columns} == {"city", "price"}
    back = compare(held, arrow.table(before))
    assert {"city", "price"} <= {one.column for one in back.verdict.columns if one.missing_moved}


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"price": np.full(ROWS, "x", object)}, "'price' is a number in the reference but holds texts now"),
        ({"city": np.zeros(ROWS)}, "'city' holds texts in the reference and numbers now"),
        ({"price": np.zeros(5)}, "5 to 3000 rows"),
    ],
)
def test_a_column_that_changed_is_refused_by_name(change, why):
    with pytest.raises(DataRefused, match=why):
        compare(table(0), table(1) | change)


@pytest.mark.parametrize(
    ("before", "now", "why"),
    [
        ({"a": np.zeros(5)}, {"b": np.zeros(5)}, "share no column"),
        ({"a": np.zeros(0)}, {"a": np.zeros(5)}, "has no rows"),
        ("a.csv", {"a": np.zeros(5)}, "the reference is a str, not a table"),
        ({}, {}, "share no column"),
    ],
)
def test_what_cannot_be_compared_is_refused(before, now, why):
    with pytest.raises(DataRefused, match=why):
        compare(before, now)


def test_an_empty_current_table_is_too_little_to_say():
    assert compare(table(0), {name: column[:0] for name, column in table(0).items()}).answer == "unknown"


@pytest.mark.parametrize(
    ("time", "why"), [("nowhere", "no column 'nowhere'"), ("price", "does not hold times")]
)
def test_a_time_column_must_be_there_and_hold_times(time, why):
    with pytest.raises(DataRefused, match=why):
        compare(table(0), table(1), time=time)


@pytest.fixture(scope="module")
def year():
    """120 days of 300 rows; the current half moves from its 30th day on."""
    rng = np.random.default_rng(5)
    rows = 120 * 300
    times = np.datetime64("2026-01-01", "s") + (np.arange(rows) * 288).astype("m8[s]")
    moved = np.arange(rows) >= 90 * 300
    columns = {
        "a": rng.normal(size=rows) + moved,
        "b": rng.normal(size=rows),
        "city": np.array(["x", "y"], object)[rng.integers(0, 2, rows)],
        "at": times,
    }
    half = rows // 2
    return {name: column[:half] for name, column in columns.items()}, {
        name: column[half:] for name, column in columns.items()
    }


def test_windows_tell_when_it_began(year):
    report = compare(*year, time="at", window_s=86_400)
    assert report.answer == "drifted"
    assert len(report.windows) == 60
    opened = next(place for place, window in enumerate(report.windows) if window.episode)
    assert opened == 31
    assert "2 of 3 windows tripped by 2026-04-03" in report.because


def test_a_profile_answers_like_the_table_it_was_learned_from(year):
    before, now = year
    columns = {name: column for name, column in before.items() if name != "at"}
    profile = learn_profile(columns, before["at"], time="at")
    again = Profile.from_bytes(profile.to_bytes())
    one, other = compare(again, now), compare(before, now, time="at")
    assert json.loads(one.to_json()) == json.loads(other.to_json())


class Page(HTMLParser):
    """Collects what a page would load, and checks that its tags close."""

    VOID = frozenset({"meta", "line", "path", "br"})

    def __init__(self):
        super().__init__()
        self.open, self.loads, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        if tag not in self.VOID:
            self.open.append(tag)
        self.loads += [
            value for name, value in attrs if name in ("src", "href", "data") and not value.startswith("#")
        ]
        self.loads += [tag] if tag in ("script", "link", "img", "iframe") else []

    def handle_endtag(self, tag):
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def parsed(html):
    page = Page()
    page.feed(html)
    assert page.open == []
    return page


def test_the_page_is_self_contained_and_well_formed(year):
    html = compare(*year, time="at", window_s=86_400).to_html()
    page = parsed(html)
    assert page.loads == []
    assert "@import" not in html
    assert "url(" not in html
    text = " ".join(page.text)
    assert "Drifted" in text
    assert "Window by window" in text


def test_names_and_values_cannot_inject_markup():
    evil = "<script>alert(1)</script>"
    values = np.array([evil, "b"] * 200, object)
    html = compare({evil: values, "x": np.arange(400.0)}, {evil: values, "x": np.arange(400.0)}).to_html()
    assert "<script" not in html
    parsed(html)


@pytest.mark.parametrize(
    "column",
    [np.full(400, np.nan), np.full(400, 2.0), np.array([1e308, -1e308] * 200), np.full(400, np.inf)],
    ids=["all missing", "constant", "huge", "all infinite"],
)
def test_odd_columns_have_a_page(column):
    columns = {"odd": column, "plain": np.arange(400.0)}
    for one, other in ((columns, columns), (columns, columns | {"odd": np.arange(400.0)})):
        report = compare(one, other)
        page = parsed(report.to_html())
        assert "nan" not in " ".join(page.text)
        json.loads(report.to_json(), parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


def test_settings_reach_the_verdict():
    settings = Settings(min_rows=100, overrides=(Override("p*", ignore=True),))
    assert "price" not in [
        one.column for one in compare(table(0), table(1), settings=settings).verdict.columns
    ]


def loaded_by(statement: str) -> set[str]:
    """Packages, two levels deep, that a fresh process holds after a statement."""
    code = f"import sys; {statement}\nprint(' '.join({{'.'.join(m.split('.')[:2]) for m in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


@pytest.mark.parametrize(
    ("name", "most"), [("Profile", "numpy"), ("judge", "scipy.special"), ("compare", "scipy.special")]
)
def test_a_name_loads_numpy_and_at_most_scipy_special(name, most):
    """The collector needs a Profile alone, and starts without the rest; scipy.special brings what it needs itself."""
    loaded = loaded_by(f"from trimtab.drift import {name}")
    heavy = {"pandas", "pyarrow", "pydantic", "jinja2", "numba", "typer", "rich", "yaml", "sklearn", "duckdb"}
    assert not heavy & loaded
    assert {m for m in loaded if m.startswith("scipy.")} <= loaded_by(f"import {most}")


def test_every_public_name_is_there():
    import trimtab.drift

    assert dir(trimtab.drift) == sorted(trimtab.drift.__all__)
    for name in trimtab.drift.__all__:
        found = getattr(trimtab.drift, name)
        assert getattr(found, "__module__", "trimtab").startswith("trimtab")
        assert not isinstance(found, type(trimtab))
    with pytest.raises(AttributeError, match="nonsense"):
        trimtab.drift.nonsense  # noqa: B018
