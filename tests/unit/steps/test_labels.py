"""The task is inferred from the label."""

from typing import Any

import pytest


@pytest.fixture
def labels() -> Any:
    import pyarrow as pa

    from trimtab.steps.labels import labels_of

    return lambda values, kind=None: labels_of(
        pa.chunked_array([pa.array(values, kind and getattr(pa, kind)())]), "y"
    )


@pytest.mark.parametrize(
    ("values", "task", "classes", "codes"),
    [
        ([True, None, False], "binary", ("false", "true"), [1, None, 0]),
        ([1, 0, None], "binary", ("0", "1"), [1, 0, None]),
        ([1.0, 0.0], "binary", ("0", "1"), [1, 0]),
        (["yes", "no", None], "binary", ("no", "yes"), [1, 0, None]),
        (["b", "a", "c"], "multiclass", ("a", "b", "c"), [1, 0, 2]),
        ([5, 3, 4, None], "multiclass", ("3", "4", "5"), [2, 0, 1, None]),
        (list(range(30)), "regression", (), list(range(30))),
        ([0.5, 1.5, None], "regression", (), [0.5, 1.5, None]),
    ],
)
def test_the_task_follows_from_the_values(
    labels: Any, values: list[Any], task: str, classes: tuple[str, ...], codes: list[Any]
) -> None:
    found = labels(values)
    assert (found.task, found.classes) == (task, classes)
    assert [None if value != value else value for value in found.values.tolist()] == codes


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([None, None], "missing in all 2 rows"),
        ([f"id-{i}" for i in range(99)], "99 different texts"),
        ([2.5, 2.5], "is 2.5 in every row"),
    ],
)
def test_what_is_no_label_is_refused(labels: Any, values: list[Any], said: str) -> None:
    from trimtab.api.errors import DataRefused

    with pytest.raises(DataRefused, match=said):
        labels(values, "float64" if values[0] is None else None)
