"""The behaviour tests of trimtab.yaml, asked of the fitted model on rows of the test part.

A test changes inputs as a request sends them, and features.py runs on the changed rows. A looked-up column stays
as it was found, also where its key is changed: name it beside the key.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np

from trimtab.api.errors import InputRefused
from trimtab.api.evaluation import Behaviour, Direction, Given, Invariance, MinimumFunctionality, Otherwise
from trimtab.features.columns import DTYPES, MISSING, Array, Columns, Kind, is_missing, take
from trimtab.quality.behaviour import Behaved, judged, moved, outside, wrong_way

MOST_ROWS: Final = 2_000
Ask = Callable[[Columns], Array]


@dataclass(frozen=True, slots=True)
class BehaviourResult:
    """What a test found.

    Attributes:
        rule: in words.
        example: the worst row's inputs, as text, those that the test changes first; empty where no row was asked.
        example_id: its key.
    """

    name: str
    test: str
    rule: str
    otherwise: Otherwise
    found: Behaved
    example_id: str = ""
    example: Mapping[str, str] | None = None

    @property
    def refuses(self) -> bool:
        return not self.found.passed and self.otherwise == "refuse"

    @property
    def sentence(self) -> str:
        worst = self.found.worst
        shown = (
            ""
            if worst is None
            else f", the worst of them {self.example_id}: {worst.before:.3f} → {worst.after:.3f}"
        )
        return f"{self.name}: {self.found.because} ({self.rule}){shown}"


def behave(
    tests: Sequence[Behaviour], inputs: Columns, kinds: Mapping[str, Kind], ids: Array, ask: Ask, classes: int
) -> tuple[BehaviourResult, ...]:
    """Every test, on at most 2,000 of the rows that it is about, evenly taken.

    Args:
        inputs: of the test rows, each shape (rows,).
        kinds: by input.
        ids: the rows' keys.
        ask: inputs to the model's answers.
        classes: of the task; direction and minimum functionality need one answer a row.

    Raises:
        InputRefused: a test names no input, or a value of another type; see the message.
    """
    for test in tests:
        check_test(test, kinds)
        if classes > 2 and not isinstance(test, Invariance):
            raise _refused(test, f"a {test.test} test needs one answer a row, and this model answers {classes}",
                           "test invariance, or train a binary model")  # fmt: skip
    return tuple(_asked(test, inputs, kinds, ids, ask) for test in tests)


def check_test(test: Behaviour, kinds: Mapping[str, Kind]) -> None:
    """Every input that a test names is there, and every value is of its kind.

    Raises:
        InputRefused: one is not; the message names the test and the input.
    """
    given: list[tuple[str, Given]] = [(name, one) for name, values in test.where.items() for one in values]
    if isinstance(test, Direction):
        for name, by in test.add.items():
            _step(test, name, by, kinds)
    elif isinstance(test, Invariance):
        given += [(name, one) for name, values in test.set.items() for one in values]
    else:
        given += test.set.items()
    for name, one in given:
        _value(test, name, one, kinds)


def _asked(
    test: Behaviour, inputs: Columns, kinds: Mapping[str, Kind], ids: Array, ask: Ask
) -> BehaviourResult:
    about = np.ones(len(ids), bool)
    for name, values in test.where.items():
        about &= _is_one_of(inputs[_known(test, name, kinds)], [_value(test, name, v, kinds) for v in values])
    rows = np.flatnonzero(about)
    if len(rows) > MOST_ROWS:
        rows = rows[np.linspace(0, len(rows) - 1, MOST_ROWS).astype(np.int64)]
    held = take(inputs, rows)
    found, changed = _found(test, held, kinds, ask)
    told = BehaviourResult(test.name, test.test, _rule(test), test.otherwise, found)
    if found.worst is None:
        return told
    k = found.worst.row
    names = [*changed, *(name for name in held if name not in changed)]
    shown = {name: _text(held[name][k]) for name in names}
    return BehaviourResult(told.name, told.test, told.rule, told.otherwise, found, str(ids[rows[k]]), shown)


def _text(value: Any) -> str:
    if isinstance(value, float):
        return "(missing)" if np.isnan(value) else f"{value:.6g}"
    return str(value) or "(missing)"


def _found(test: Behaviour, held: Columns, kinds: Mapping[str, Kind], ask: Ask) -> tuple[Behaved, list[str]]:
    rows = len(next(iter(held.values())))
    before = ask(held) if rows else np.zeros(0)
    if isinstance(test, Direction):
        after = before
        if rows:
            after = ask(
                {**held, **{name: held[name] + _step(test, name, by, kinds) for name, by in test.add.items()}}
            )
        broken = wrong_way(before, after, test.answer)
        return judged(broken, test.tolerance, test.share, before, after), list(test.add)
    if isinstance(test, MinimumFunctionality):
        after = ask({**held, **_set(test, test.set, kinds, rows)}) if rows else before
        return judged(outside(after, test.at_least, test.at_most), 0.0, test.share, before, after), list(
            test.set
        )
    answers = [before]
    for name, values in test.set.items():
        for value in values:
            changed = _set(test, {name: value}, kinds, rows)
            answers += [ask({**held, **changed})] if rows else []
    if not rows:
        return judged(np.zeros(0), 0, 0, before, before), list(test.set)
    off = np.stack([moved(before, after) for after in answers])
    furthest = off.argmax(axis=0)
    after = np.stack(answers)[furthest, np.arange(rows)]
    return judged(off.max(axis=0), test.at_most, test.share, before, after), list(test.set)


def _set(
    test: Behaviour, values: Mapping[str, Given], kinds: Mapping[str, Kind], rows: int
) -> dict[str, Array]:
    made = {}
    for name, given in values.items():
        kind = kinds[_known(test, name, kinds)]
        made[name] = np.full(rows, _value(test, name, given, kinds), dtype=DTYPES[kind])
    return made


def _is_one_of(values: Array, wanted: Sequence[Any]) -> Array:
    met = np.zeros(len(values), bool)
    for value in wanted:
        met |= is_missing(values) if is_missing(np.array([value], values.dtype))[0] else values == value
    return met


def _known(test: Behaviour, name: str, kinds: Mapping[str, Kind]) -> str:
    if name not in kinds:
        raise _refused(test, f"'{name}' is no input of the model", f"one of {', '.join(kinds)}")
    return name


def _step(test: Behaviour, name: str, by: float, kinds: Mapping[str, Kind]) -> float:
    if kinds[_known(test, name, kinds)] != "number":
        raise _refused(test, f"'{name}' is a {kinds[name]}; only a number can be added to", "use `set`")
    return by


def _value(test: Behaviour, name: str, given: Given, kinds: Mapping[str, Kind]) -> Any:
    kind = kinds[_known(test, name, kinds)]
    if given is None:
        return MISSING[kind]
    if kind == "string" and isinstance(given, str):
        return given
    if kind == "timestamp" and isinstance(given, str):
        try:
            moment = datetime.fromisoformat(given)
        except ValueError:
            raise _refused(
                test, f"{name}: '{given}' is no RFC 3339 time", "such as 2013-07-01T12:30:00Z"
            ) from None
        return np.datetime64(moment.astimezone(UTC).replace(tzinfo=None), "us")
    if (kind == "boolean") == isinstance(given, bool) and kind != "string" and isinstance(given, int | float):
        return float(given)
    raise _refused(test, f"{name}: {given!r} is no {kind}", f"'{name}' is a {kind}")


def _rule(test: Behaviour) -> str:
    if isinstance(test, Invariance):
        return f"whatever {' or '.join(test.set)} is, the answer moves by at most {test.at_most:g}"
    if isinstance(test, Direction):
        added = ", ".join(f"{name} {by:+g}" for name, by in test.add.items())
        return f"with {added} the answer {test.answer}" + (
            f", give or take {test.tolerance:g}" if test.tolerance else ""
        )
    made = "".join(f"{name} = {value}, " for name, value in test.set.items())
    bounds = [f"at least {test.at_least:g}"] if test.at_least is not None else []
    bounds += [f"at most {test.at_most:g}"] if test.at_most is not None else []
    return f"{'with ' + made if made else ''}the answer is {' and '.join(bounds)}"


def _refused(test: Behaviour, message: str, remedy: str) -> InputRefused:
    return InputRefused(f"trimtab.yaml: evaluation.behaviour '{test.name}': {message}", remedy=remedy)
