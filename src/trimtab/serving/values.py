"""Values off the wire, as columns of trimtab.features: strict about types, and clear about the row at fault.

| kind | V2 datatypes | JSON values |
|---|---|---|
| number | FP16–FP64, INT8–INT64, UINT8–UINT64 | numbers |
| string | BYTES | strings |
| timestamp | BYTES, INT64 | RFC 3339 with an offset; whole microseconds since 1970 UTC |
| boolean | BOOL | true, false |

null and "" are missing in every kind.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from types import NoneType
from typing import Any, Final

import numpy as np

from trimtab.api.errors import InputRefused
from trimtab.features.columns import Array, Kind

_WHOLE: Final = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")
DATATYPES: Final[Mapping[Kind, frozenset[str]]] = {
    "number": frozenset(("FP64", "FP32", "FP16", *_WHOLE)),
    "string": frozenset(("BYTES",)),
    "timestamp": frozenset(("BYTES", "INT64")),
    "boolean": frozenset(("BOOL",)),
}
SENT: Final[Mapping[Kind, str]] = {
    "number": "FP64",
    "string": "BYTES",
    "timestamp": "BYTES",
    "boolean": "BOOL",
}

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_FIRST_US: Final = (datetime.min.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
_LAST_US: Final = (datetime.max.replace(tzinfo=UTC) - EPOCH) // _MICROSECOND
_NAT: Final = np.iinfo(np.int64).min
_NUMERIC: Final = frozenset((float, int, NoneType))
_TEXT: Final = frozenset((str,))
_TRUTH: Final = frozenset((bool, NoneType))


class RequestRefused(InputRefused):
    """A prediction request that cannot be taken; answered by 400."""


class ModelUnknown(InputRefused):
    """A request for a model that is not served here; answered by 404, and no business of our model's log."""


def column(name: str, kind: Kind, values: Sequence[Any]) -> Array:
    """The values as a column of the kind, shape (rows,).

    Raises:
        RequestRefused: a value is not of the kind; names the field and the row, counted from 0.
    """
    return _CONVERT[kind](name, values)


def _numbers(name: str, values: Sequence[Any]) -> Array:
    if not _NUMERIC.issuperset(map(type, values)):
        values = [_number(name, row, value) for row, value in enumerate(values)]
    return np.array(values, dtype=np.float64)


def _number(name: str, row: int, value: object) -> float | int | None:
    if value is None or value == "":
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return value
    raise _wrong(name, row, value, "a number")


def _strings(name: str, values: Sequence[Any]) -> Array:
    if not _TEXT.issuperset(map(type, values)):
        values = [_string(name, row, value) for row, value in enumerate(values)]
    return np.array(values, dtype=object)


def _string(name: str, row: int, value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    raise _wrong(name, row, value, "a string")


def _timestamps(name: str, values: Sequence[Any]) -> Array:
    micros = [_micros(name, row, value) for row, value in enumerate(values)]
    return np.array(micros, dtype=np.int64).view("datetime64[us]")


def _micros(name: str, row: int, value: object) -> int:
    if type(value) is str and value:
        try:
            return (datetime.fromisoformat(value) - EPOCH) // _MICROSECOND
        except ValueError:
            raise _wrong(name, row, value, "an RFC 3339 time, such as 2013-07-01T12:30:00Z") from None
        except TypeError:
            raise _wrong(
                name, row, value, "an RFC 3339 time with an offset, such as 2013-07-01T12:30:00Z"
            ) from None
    if value is None or value == "":
        return _NAT
    if type(value) is int and _FIRST_US <= value <= _LAST_US:
        return value
    raise _wrong(name, row, value, "an RFC 3339 time or whole microseconds since 1970")


def _booleans(name: str, values: Sequence[Any]) -> Array:
    if not _TRUTH.issuperset(map(type, values)):
        values = [_boolean(name, row, value) for row, value in enumerate(values)]
    return np.array(values, dtype=np.float64)


def _boolean(name: str, row: int, value: object) -> bool | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return value
    raise _wrong(name, row, value, "true or false")


_CONVERT: Final[Mapping[Kind, Callable[[str, Sequence[Any]], Array]]] = {
    "number": _numbers,
    "string": _strings,
    "timestamp": _timestamps,
    "boolean": _booleans,
}


def _wrong(name: str, row: int, value: object, wanted: str) -> RequestRefused:
    shown = repr(value)
    if len(shown) > 40:
        shown = shown[:37] + "…"
    return RequestRefused(f"input '{name}', row {row}: {shown} is not {wanted}")
