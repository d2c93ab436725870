"""The endpoint of a plane that is up: rows in the form that its model takes, and its answers."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from trimtab.api.errors import DataRefused, InputRefused, SurroundingsFailed
from trimtab.features.columns import Kind
from trimtab.features.plan import ServingPlan

if TYPE_CHECKING:
    from trimtab.local.plane import Plane

TRUTHS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
NULLS = ("", "NA", "NaN", "nan", "null", "None", "?")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A model's V1 address.

    Attributes:
        folder: its model folder.
    """

    address: str
    plan: ServingPlan
    folder: Path

    @classmethod
    def of(cls, plane: "Plane") -> Self:
        """The endpoint of a plane.

        Raises:
            SurroundingsFailed: nothing is up, or no server has a model.
        """
        for child in plane.control.children():
            if folder := child.labels.get("folder"):
                plan = ServingPlan.from_json((Path(folder) / "plan.json").read_bytes())
                return cls(f"{plane.url}/v1/models/{plane.model_name}:predict", plan, Path(folder))
        raise SurroundingsFailed("no model server runs", remedy="trimtab run, or see trimtab logs loop")

    @property
    def classes(self) -> tuple[str, ...]:
        return self.plan.classes

    def samples(self) -> list[dict[str, Any]]:
        """Rows that came with the model."""
        rows: list[dict[str, Any]] = json.loads((self.folder / "samples.json").read_bytes())
        return rows

    def key(self, row: Mapping[str, Any]) -> str:
        """The row's example key; "" where it does not hold it."""
        parts = [row.get(name) for name in self.plan.key]
        return "|".join(map(str, parts)) if parts and None not in parts else ""

    def rows(self, given: Sequence[Mapping[str, Any]], file: str) -> list[dict[str, Any]]:
        """Rows as requests: the fields that the model takes, each in its kind.

        Raises:
            InputRefused: there are no rows.
            DataRefused: a field is missing, or of another kind; names file, row (from 1) and field.
        """
        if not given:
            raise InputRefused(f"{file}: holds no rows", remedy="give at least one")
        kinds = {field.name: field.type for field in self.plan.inputs}
        if lacking := [name for name in kinds if not any(name in row for row in given)]:
            raise DataRefused(
                f"{file}: lacks {', '.join(repr(name) for name in lacking)}",
                remedy=f"the model takes {', '.join(kinds)}; leave a field empty where it is not known",
            )
        views = {column.name: column.type for view in self.plan.views for column in view.columns}
        optional = {name: kind for name, kind in views.items() if any(name in row for row in given)}
        taken = []
        for number, row in enumerate(given, start=1):
            made = {
                name: _value(row.get(name), kind, f"{file}, row {number}, '{name}'")
                for name, kind in {**optional, **kinds}.items()
            }
            key = {
                name: row[name] for name in self.plan.key if row.get(name) is not None and name not in made
            }
            taken.append({**key, **made})
        return taken

    def predict(self, rows: Sequence[Mapping[str, Any]], timeout_s: float) -> list[Any]:
        """One answer a row: the positive class's probability, the value, or each class's probability.

        Raises:
            InputRefused: the model refused the request; says why.
            SurroundingsFailed: it cannot be reached, or failed.
        """
        body = json.dumps({"instances": rows}, allow_nan=False).encode()
        request = urllib.request.Request(self.address, body, {"content-type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=timeout_s) as answer:
                predictions: list[Any] = json.load(answer)["predictions"]
                return predictions
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            if error.code == 400:
                raise InputRefused(f"the model refused: {_error_of(said)}", remedy="mend the row") from None
            raise SurroundingsFailed(
                f"{self.address} answered {error.code}: {_error_of(said)}", remedy="trimtab status"
            ) from None
        except OSError as error:
            raise SurroundingsFailed(
                f"{self.address} cannot be reached: {error}", remedy="trimtab status, trimtab up"
            ) from None


def _value(given: Any, kind: Kind, where: str) -> Any:
    if given is None or given in NULLS or given != given:
        return None
    if kind == "string":
        return str(given)
    if kind == "timestamp":
        return _time(given, where)
    if kind == "boolean":
        known = TRUTHS.get(str(given).strip().lower().removesuffix(".0"))
        if known is None:
            raise DataRefused(f"{where}: {given!r} is neither true nor false", remedy="write true or false")
        return known
    try:
        return float(given)
    except (TypeError, ValueError):
        raise DataRefused(
            f"{where}: {given!r} is no number", remedy="give a number, or leave it empty"
        ) from None


def _time(given: Any, where: str) -> str:
    try:
        moment = given if isinstance(given, date) else datetime.fromisoformat(str(given))
    except ValueError:
        raise DataRefused(f"{where}: {given!r} is no time", remedy="write 2013-07-01T12:30:00Z") from None
    if not isinstance(moment, datetime):
        moment = datetime(moment.year, moment.month, moment.day, tzinfo=UTC)
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def _error_of(body: str) -> str:
    try:
        return str(json.loads(body)["error"])
    except (ValueError, KeyError, TypeError):
        return body[:300]
