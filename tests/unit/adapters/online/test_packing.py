"""Rows as bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.adapters.online.layouts import Layouts
from trimtab.adapters.online.packing import Layout, layout_id, pack, unpacker
from trimtab.api.errors import DataRefused

KINDS = {"temp": "number", "word": "string", "at": "timestamp", "open": "boolean"}


@given(
    st.floats(allow_nan=True),
    st.text(),
    st.integers(-(2**62), 2**62),
    st.sampled_from([0.0, 1.0, np.nan]),
)
def test_a_row_is_what_was_packed(temp: float, word: str, micros: int, open_: float) -> None:
    layout = Layout.of(KINDS)  # type: ignore[arg-type]
    columns = {
        "temp": np.array([temp]),
        "word": np.array([word.encode("utf-8", "ignore").decode()], object),
        "at": np.array([micros], np.int64).view("datetime64[us]"),
        "open": np.array([open_]),
    }
    (row,) = pack(layout, 7, columns, np.array([0]))
    assert layout_id(row) == 7
    at, opened, read, text = unpacker(layout)(row)
    assert at == micros
    np.testing.assert_array_equal([opened, read], [open_, temp])
    assert text == columns["word"][0]


def test_a_column_may_not_change_what_it_is_held_as() -> None:
    held = Layouts()
    held.add(1, "weather", Layout.of({"temp": "number"}).to_json())
    held.agree("weather", Layout.of({"temp": "boolean", "wind": "string"}))
    held.agree("planes", Layout.of({"temp": "string"}))
    with pytest.raises(DataRefused, match="column 'temp' of weather as number, and is sent string"):
        held.agree("weather", Layout.of({"temp": "string"}))
