"""What a features.py may declare."""

import pytest

from trimtab.features import Request, View
from trimtab.features.declaration import DeclarationRefused, refuse_clashes, seconds


def test_columns_of_a_view_may_be_names_or_renames() -> None:
    assert View("t", by="k", columns=("a", "b")).columns == {"a": "a", "b": "b"}
    assert View("t", by="k", columns={"a": "x"}).columns == {"a": "x"}
    assert View("t", by=("k", "l"), columns="a").by == ("k", "l")


@pytest.mark.parametrize(
    ("text", "expected"), [("90s", 90), ("15m", 900), ("3h", 10_800), ("14d", 1_209_600)]
)
def test_a_duration_is_a_number_with_a_unit(text: str, expected: float) -> None:
    assert seconds(text, "here") == expected


@pytest.mark.parametrize("text", ["3", "h", "3 h", "-3h", "3y", ""])
def test_a_duration_without_a_unit_is_refused(text: str) -> None:
    with pytest.raises(DeclarationRefused, match="is not a duration"):
        seconds(text, "here")


def test_an_unknown_type_is_refused_with_those_that_exist() -> None:
    with pytest.raises(DeclarationRefused, match=r"'carrier' has the unknown type 'text'.*\n.*string"):
        Request(carrier="text")  # type: ignore[arg-type]


def test_max_age_without_time_is_refused() -> None:
    with pytest.raises(DeclarationRefused, match="max_age but no time"):
        View("t", by="k", columns="a", max_age="3h")


@pytest.mark.parametrize(
    ("views", "said"),
    [
        ([View("t", by="k", columns="x")], "'x', which REQUEST has"),
        ([View("t", by="k", columns="a"), View("u", by="k", columns="a")], "'a', which t has"),
        ([View("t", by="k", columns="a"), View("t", by="k", columns="b")], "comes twice"),
        ([View("t", by="missing", columns="a")], "looked up by 'missing'"),
        ([View("t", by="at", columns="a")], "looked up by 'at'"),
    ],
)
def test_one_name_space(views: list[View], said: str) -> None:
    with pytest.raises(DeclarationRefused, match=said):
        refuse_clashes(Request(k="string", x="number", at="timestamp"), views)
