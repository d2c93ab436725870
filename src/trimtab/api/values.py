"""Values that specs share: durations, fractions, bounds, names; and the manner of every model.

camelCase on the wire, snake_case in Python. Files refuse unknown keys; a status read back from a server or a
store ignores them, so that an old reader lives with a newer writer. What is read as JSON text (pydantic's "json" mode)
comes from an API server, whose schemas know no unions: there a decimal number is a string and nothing else.
"""

import re
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Final

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel

_UNITS_S: Final = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION: Final = re.compile(r"(?:([0-9]{1,5})d)?(?:([0-9]{1,6})h)?(?:([0-9]{1,8})m)?(?:([0-9]{1,9})s)?")
_DURATION_PATTERN: Final = r"^([0-9]{1,5}d)?([0-9]{1,6}h)?([0-9]{1,8}m)?([0-9]{1,9}s)?$"
_DECIMAL_PATTERN: Final = r"^-?[0-9]{1,12}(\.[0-9]{1,16})?$"


class Spec(BaseModel):
    """Base of what a person writes: frozen, unknown keys refused."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="forbid")


class Stored(BaseModel):
    """Base of what the loop writes and reads back: frozen, unknown keys ignored."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True, frozen=True, extra="ignore")


def parse_duration(text: object) -> timedelta:
    """A duration as written: "7d", "24h", "1h30m", "30s".

    Raises:
        ValueError: not a string, or not of that form.

    >>> parse_duration("1h30m")
    datetime.timedelta(seconds=5400)
    """
    if isinstance(text, timedelta):
        return text
    if isinstance(text, str) and text and (match := _DURATION.fullmatch(text)):
        return timedelta(
            seconds=sum(int(n) * s for n, s in zip(match.groups(default="0"), _UNITS_S.values(), strict=True))
        )
    raise ValueError(f"{text!r} is not a duration; write a number with d, h, m or s, such as 7d or 1h30m")


def format_duration(length: timedelta) -> str:
    """The form of `parse_duration`, in the fewest units; whole seconds.

    >>> format_duration(timedelta(days=7)), format_duration(timedelta(seconds=5400)), format_duration(timedelta())
    ('7d', '1h30m', '0s')
    """
    rest, parts = int(length.total_seconds()), []
    for unit, seconds in _UNITS_S.items():
        count, rest = divmod(rest, seconds)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def parse_decimal(value: object) -> Decimal:
    """A number, or text of one; exact as written.

    Raises:
        ValueError: not a finite decimal number.
    """
    if isinstance(value, bool) or not isinstance(value, int | float | str | Decimal):
        raise ValueError(f"{value!r} is not a number")
    try:
        number = Decimal(str(value))
    except InvalidOperation as error:
        raise ValueError(f"{value!r} is not a decimal number") from error
    if not number.is_finite():
        raise ValueError(f"{value!r} is not a finite number")
    return number


def _number(value: object, info: ValidationInfo) -> Decimal:
    if info.mode == "json" and not (isinstance(value, str) and re.fullmatch(_DECIMAL_PATTERN[1:-1], value)):
        raise ValueError(
            f'{value!r} is not a decimal number as a string; write one such as "0.05", in quotes'
        )
    return parse_decimal(value)


def format_decimal(number: Decimal) -> str:
    """Plain digits, no exponent.

    >>> format_decimal(Decimal("1e-3"))
    '0.001'
    """
    return format(number, "f")


Duration = Annotated[
    timedelta,
    BeforeValidator(parse_duration),
    PlainSerializer(format_duration, return_type=str),
    WithJsonSchema({"type": "string", "pattern": _DURATION_PATTERN, "minLength": 2, "maxLength": 32}),
]
"""A `timedelta`; "7d", "24h", "30s" on the wire."""

Number = Annotated[
    Decimal,
    BeforeValidator(_number),
    PlainSerializer(format_decimal, return_type=str),
    WithJsonSchema({"type": ["string", "number"], "pattern": _DECIMAL_PATTERN}, mode="validation"),
    WithJsonSchema({"type": "string", "pattern": _DECIMAL_PATTERN, "maxLength": 32}, mode="serialization"),
]
"""A decimal number; a string of one on the wire, a number too in files."""


def format_real(value: float) -> str:
    """A float as text that reads back as the same float.

    >>> format_real(0.1), format_real(1e-300), format_real(float("inf"))
    ('0.1', '1e-300', 'inf')
    """
    return repr(float(value))


def to_wire(value: Any) -> Any:
    """Nested values with every float as text: what may stand in a resource's status.

    >>> to_wire({"s": 0.1, "n": 3, "q": [1.0]})
    {'s': '0.1', 'n': 3, 'q': ['1.0']}
    """
    if isinstance(value, float):
        return format_real(value)
    if isinstance(value, dict):
        return {key: to_wire(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [to_wire(inner) for inner in value]
    return value


def _real(value: object) -> object:
    return float(value) if isinstance(value, str) else value


Real = Annotated[
    float,
    BeforeValidator(_real),
    PlainSerializer(format_real, return_type=str),
    WithJsonSchema({"type": "string"}, mode="serialization"),
]
"""A float that a status holds: its shortest exact text on the wire, since API servers have no floats to rely on."""

Fraction = Annotated[Number, Field(ge=0, le=1)]
"""A share between 0 and 1."""

Alpha = Annotated[Number, Field(gt=0, lt=Decimal("0.5"))]
"""An error rate a side, of a test."""

Percent = Annotated[int, Field(ge=0, le=100, strict=True)]
"""Whole percent, 0–100."""

Name = Annotated[
    str,
    StringConstraints(pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?$", min_length=1, max_length=63, strict=True),
]
"""A DNS label: lower-case letters, digits and dashes."""

MetricName = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$", max_length=63, strict=True)]
"""A metric in scikit-learn's snake_case."""


class Bound(Spec):
    """How far a number may lie from another: absolutely, or in percent of it. Exactly one is set."""

    absolute: Number | None = None
    percent: Number | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_file(cls, value: Any, info: ValidationInfo) -> Any:
        if isinstance(value, Bound | dict) or info.mode == "json":
            return value
        if isinstance(value, str) and value.endswith("%"):
            return {"percent": value[:-1]}
        return {"absolute": value}

    @model_validator(mode="after")
    def _one_of_both(self) -> "Bound":
        if (self.absolute is None) == (self.percent is None):
            raise ValueError("give either `absolute` or `percent`")
        return self

    def around(self, level: float) -> float:
        """The bound as an absolute distance at a level: itself, or its percent of |level|."""
        if self.absolute is not None:
            return float(self.absolute)
        assert self.percent is not None
        return abs(level) * float(self.percent) / 100

    def __str__(self) -> str:
        return f"{self.percent}%" if self.absolute is None else format_decimal(self.absolute)


_BOUND_FORM: Final = {
    "anyOf": [
        {"type": "number"},
        {"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]+)?%?$"},
        {"type": "object", "properties": {"absolute": {}, "percent": {}}, "additionalProperties": False},
    ]
}

FileBound = Annotated[Bound, WithJsonSchema(_BOUND_FORM, mode="validation")]
"""A bound; in a file a number (absolute) or "20%" (relative), in a resource {absolute} or {percent}."""
