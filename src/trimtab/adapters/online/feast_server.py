"""Online features from Feast's HTTP server (`feast serve`): the port's reading side over POST /get-online-features.

What it answers is what Feast's own store holds: Feast materialises it, and times come in whole seconds. Used inside
the model server, which needs no Feast for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

import numpy as np

from trimtab.adapters.http import HttpServer
from trimtab.adapters.http.refusal import refusal
from trimtab.adapters.online.feast_token import GIVE, feast_token
from trimtab.api.errors import SurroundingsFailed
from trimtab.features.columns import DTYPES, MISSING, Array, Kind, missing_column
from trimtab.features.inputs import SEPARATOR
from trimtab.features.plan import PlannedView
from trimtab.ports.online import Found

NOT_FOUND: Final = "NOT_FOUND"


class FeastServer:
    """`trimtab.ports.online.OnlineReader`. Threads may share one. It shows the token that `feast_token` finds.

    Args:
        views: of the model that is served. Feast knows each by this name, and its columns by their input names, as
            `trimtab.adapters.feast.objects` declares them.
        key_kinds: kind by key column.
        within_s: in which it answers.
    """

    def __init__(
        self, uri: str, views: Sequence[PlannedView], key_kinds: Mapping[str, Kind], within_s: float
    ) -> None:
        self._server = HttpServer("Feast's feature server", uri, timeout_s=within_s)
        self._views = {view.name: view for view in views}
        self._key_kinds = key_kinds

    def close(self) -> None:
        """A connection ends with its call."""

    def read(self, wanted: Sequence[tuple[str, Sequence[str | None]]]) -> list[Found]:
        """In one round trip where the views' keys are of the same rows, as those of a request are."""
        rounds: list[_Round] = []
        place: list[_Round | None] = []
        for name, keys in wanted:
            view = self._views.get(name)
            if view is None or all(key is None for key in keys):
                place.append(None)
                continue
            entities = self._entities(view, keys)
            chosen = next((one for one in rounds if one.takes(entities)), None)
            if chosen is None:
                rounds.append(chosen := _Round(len(keys)))
            chosen.entities |= entities
            chosen.features |= {f"{name}:{column.name}": f"{name}__{column.name}" for column in view.columns}
            place.append(chosen)
        answers = {id(one): self._answers(one) for one in rounds}
        return [
            _nothing(self._views.get(name), len(keys))
            if one is None
            else self._found(self._views[name], keys, answers[id(one)])
            for (name, keys), one in zip(wanted, place, strict=True)
        ]

    def _entities(self, view: PlannedView, keys: Sequence[str | None]) -> dict[str, list[Any]]:
        """Key columns. A null is asked as an empty text or 0, which Feast takes, and found by nobody."""
        parts = [None if key is None else key.split(SEPARATOR) for key in keys]
        return {
            column: [_entity(None if part is None else part[j], self._key_kinds[column]) for part in parts]
            for j, column in enumerate(view.by)
        }

    def _answers(self, asked: "_Round") -> dict[str, Mapping[str, Any]]:
        """By feature: values, statuses and times, each of all rows."""
        body = {"features": [*asked.features], "entities": asked.entities, "full_feature_names": True}
        token, source = feast_token()
        shown = {"authorization": f"Bearer {token}"} if token else {}
        status, content = self._server.send("POST", "/get-online-features", body, shown)
        if status in (401, 403):
            raise self._shut_out(status, refusal(status, content), token, source)
        if status != 200:
            raise SurroundingsFailed(
                f"{self._server.who} at {self._server.uri} refused: {refusal(status, content)}",
                remedy="see that its registry has the views of features.py, by their names, keys and columns: "
                "`feast apply`, or another address",
            )
        said = self._server.read(content)
        try:
            results = dict(zip(said["metadata"]["feature_names"], said["results"], strict=True))
            return {feature: results[name] for feature, name in asked.features.items()}
        except (KeyError, TypeError, ValueError) as error:
            raise self._odd(f"{content[:80]!r}") from error

    def _found(
        self, view: PlannedView, keys: Sequence[str | None], answers: Mapping[str, Mapping[str, Any]]
    ) -> Found:
        there = np.zeros(len(keys), bool)
        times = missing_column("timestamp", len(keys))
        columns: dict[str, Array] = {}
        for column in view.columns:
            feature = f"{view.name}:{column.name}"
            answer = answers[feature]
            try:
                values = [_value(value, column.type) for value in answer["values"]]
                if len(values) != len(keys):
                    raise ValueError(f"and has {len(values)} rows in its answer, of {len(keys)}")
                columns[column.source] = np.array(values, DTYPES[column.type])
                for row, (key, status) in enumerate(zip(keys, answer["statuses"], strict=True)):
                    if key is None:
                        columns[column.source][row] = MISSING[column.type]
                    elif status != NOT_FOUND and not there[row]:
                        there[row], times[row] = True, _time(answer["event_timestamps"][row])
            except (KeyError, TypeError, ValueError, IndexError) as error:
                raise self._odd(f"{feature} is {column.type} in the model's plan, {error}") from error
        return Found(times, columns)

    def _shut_out(self, status: int, said: str, token: str, source: str) -> SurroundingsFailed:
        if status == 403:
            done = "let us in, and not to these features"
            remedy = "a Permission in Feast must grant READ_ONLINE of these views to whom the token names"
        elif token:
            done = f"does not take the token of {source}"
            remedy = (
                "see that it has not expired, and that `auth` of its feature_store.yaml trusts who issued it"
            )
        else:
            done, remedy = "wants a token", GIVE
        told = said.replace(token, "***") if token else said
        return SurroundingsFailed(f"{self._server.who} at {self._server.uri} {done} ({told})", remedy=remedy)

    def _odd(self, said: str) -> SurroundingsFailed:
        return SurroundingsFailed(
            f"{self._server.who} at {self._server.uri} answers what is not understood: {said}",
            remedy="see that the address is of `feast serve`, and that its views have the types of the project's",
        )


@dataclass(slots=True)
class _Round:
    """One request of the server.

    Attributes:
        rows: how many.
        entities: the rows' keys by column.
        features: the answer's name of each feature asked for.
    """

    rows: int
    entities: dict[str, list[Any]] = field(default_factory=dict)
    features: dict[str, str] = field(default_factory=dict)

    def takes(self, entities: Mapping[str, list[Any]]) -> bool:
        """Are these keys of the same rows?"""
        return all(
            len(keys) == self.rows and self.entities.get(name, keys) == keys
            for name, keys in entities.items()
        )


def _entity(part: str | None, kind: Kind) -> str | int | float:
    if kind == "string":
        return part or ""
    if part is None:
        return 0
    value = float(part)
    return int(value) if value.is_integer() else value


def _value(value: Any, kind: Kind) -> Any:
    if value is None:
        return MISSING[kind]
    if kind == "string":
        if not isinstance(value, str):
            raise ValueError(f"and {value!r} in its answer")
        return value
    if isinstance(value, str) and value not in ("NaN", "Infinity", "-Infinity"):
        raise ValueError(f"and {value!r} in its answer")
    return np.datetime64(int(value), "s") if kind == "timestamp" else float(value)


def _time(text: str) -> np.datetime64:
    return np.datetime64(datetime.fromisoformat(text).replace(tzinfo=None), "us")


def _nothing(view: PlannedView | None, rows: int) -> Found:
    columns = {} if view is None else {one.source: missing_column(one.type, rows) for one in view.columns}
    return Found(missing_column("timestamp", rows), columns)
