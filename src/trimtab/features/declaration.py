"""What a features.py declares: the fields of a request, and the views that are looked up for it."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from trimtab.api.errors import InputRefused
from trimtab.features.columns import KINDS, Kind

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class DeclarationRefused(InputRefused):
    """REQUEST or VIEWS of a features.py cannot be taken."""


class Request(Mapping[str, Kind]):
    """Fields that are sent with each prediction: name to kind; in training, columns of the examples table.

    >>> dict(Request(carrier="string", distance="number"))
    {'carrier': 'string', 'distance': 'number'}
    """

    def __init__(self, **fields: Kind) -> None:
        for name, kind in fields.items():
            if kind not in KINDS:
                raise DeclarationRefused(
                    f"REQUEST: field '{name}' has the unknown type {kind!r}",
                    remedy=f"one of {', '.join(KINDS)}",
                )
        self._fields: dict[str, Kind] = dict(fields)

    def __getitem__(self, name: str) -> Kind:
        return self._fields[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def __repr__(self) -> str:
        return f"Request({', '.join(f'{name}={kind!r}' for name, kind in self._fields.items())})"


@dataclass(frozen=True, slots=True, init=False)
class View:
    """Columns of a table, looked up by key as of the example's time; a null key finds nulls.

    Attributes:
        name: the table.
        by: key columns, which REQUEST and the table both have, in order.
        time: the table's column that says from when a row is known; None for a table without time.
        max_age_s: rows older than this find nulls; None for no limit.
        columns: the feature's input name by the table's column.
    """

    name: str
    by: tuple[str, ...]
    time: str | None
    max_age_s: float | None
    columns: Mapping[str, str]

    def __init__(
        self,
        name: str,
        *,
        by: str | Sequence[str],
        columns: Sequence[str] | Mapping[str, str],
        time: str | None = None,
        max_age: str | None = None,
    ) -> None:
        if isinstance(columns, str):
            columns = (columns,)
        if max_age is not None and time is None:
            raise DeclarationRefused(
                f"VIEWS: {name} has max_age but no time", remedy="name the time column, or leave max_age out"
            )
        if not columns:
            raise DeclarationRefused(f"VIEWS: {name} has no columns", remedy="name at least one")
        renamed = dict(columns) if isinstance(columns, Mapping) else {column: column for column in columns}
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "by", (by,) if isinstance(by, str) else tuple(by))
        object.__setattr__(self, "time", time)
        object.__setattr__(self, "max_age_s", None if max_age is None else seconds(max_age, f"VIEWS: {name}"))
        object.__setattr__(self, "columns", renamed)


def seconds(duration: str, where: str) -> float:
    """Seconds of a duration such as 90s, 15m, 3h, 14d, 2w.

    Raises:
        DeclarationRefused: it is not one; `where` says whose it is.

    >>> seconds("3h", "here")
    10800.0
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([smhdw])", str(duration))
    if not match:
        raise DeclarationRefused(
            f"{where}: {duration!r} is not a duration",
            remedy="write a number and a unit: 90s, 15m, 3h, 14d, 2w",
        )
    return float(match[1]) * _UNITS_S[match[2]]


def refuse_clashes(request: Request, views: Sequence[View]) -> None:
    """REQUEST and VIEWS form one name space, and views are looked up by fields of the request.

    Raises:
        DeclarationRefused: a name comes twice, a key is not in REQUEST, or a table is viewed twice.
    """
    origin = dict.fromkeys(request, "REQUEST")
    seen: set[str] = set()
    for view in views:
        if view.name in seen:
            raise DeclarationRefused(
                f"VIEWS: {view.name} comes twice",
                remedy="name all its columns in one View, or make a second table",
            )
        seen.add(view.name)
        for key in view.by:
            if request.get(key) not in ("string", "number"):
                raise DeclarationRefused(
                    f"VIEWS: {view.name} is looked up by '{key}', which is no string or number of REQUEST",
                    remedy=f'add {key}="string" to REQUEST',
                )
        for name in view.columns.values():
            if name in origin:
                raise DeclarationRefused(
                    f"VIEWS: {view.name} brings the column '{name}', which {origin[name]} has already",
                    remedy=f'rename it: columns={{"…": "{view.name}_{name}"}}',
                )
            origin[name] = view.name
