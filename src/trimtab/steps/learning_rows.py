"""Rows of a features table, as a fit and its judge need them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Self

import numpy as np

from trimtab.features.columns import Array, Columns, take
from trimtab.features.plan import ServingPlan
from trimtab.features.point_in_time import ROW, TIME
from trimtab.ports.blocks import Blocks
from trimtab.ports.engine import Engine
from trimtab.ports.tables import Pointer, Tables
from trimtab.steps.arrow_columns import column, columns
from trimtab.steps.featurize import LABEL, SLICE
from trimtab.steps.fitting.preprocessing import Preprocessing
from trimtab.steps.inputs import ID


class Rows:
    """Featurized examples in order of time and id: what teaches a model.

    Attributes:
        times: datetime64[us], None without examples.time.
        labels: class index or value, NaN where unknown, shape (rows,).
        plan: the serving plan that featurize made.
        until: the run's; no row or label after it was read.
    """

    __slots__ = ()
    times: Array | None
    labels: Array
    plan: ServingPlan
    until: datetime | None

    def __len__(self) -> int:
        return len(self.labels)

    def taken(self, rows: Array) -> Self:
        """The chosen rows: a mask, or indices that rise."""
        raise NotImplementedError

    def parts(self, names: Sequence[str]) -> Iterator[Columns]:
        """The named features, some rows at a time, in order."""
        raise NotImplementedError

    def blocks(self, preprocessing: Preprocessing, target: Array) -> Blocks:
        """What a network learns from.

        Args:
            target: shape (rows,).
        """
        raise NotImplementedError

    def usable(self) -> Array:
        """Mask of rows that may teach or judge, shape (rows,).

        Whole mature cohorts only: early labels are not those of the cohort (late flights report late). A
        label still missing then is left out, or stands for what `label.missing` says (see `filled`).
        """
        mature = np.ones(len(self), bool)
        if self.times is not None and self.until is not None:
            wait = timedelta(seconds=self.plan.label.mature_after_s)
            mature = self.times <= np.datetime64(_micros(self.until - wait), "us")
        return mature & np.isfinite(self.labels) if self.plan.label.missing == "exclude" else mature

    def filled(self) -> Array:
        """Labels, with missing ones as `label.missing` says."""
        if self.plan.label.missing == "exclude":
            return self.labels
        return np.where(np.isnan(self.labels), float(self.plan.label.missing), self.labels)


@dataclass(frozen=True)
class LearningRows(Rows):
    """Rows in memory, with what judging needs beside them.

    Attributes:
        ids: object, shape (rows,).
        features: by name, float64 or object.
        slices: by column, object.
    """

    ids: Array
    times: Array | None
    labels: Array
    features: dict[str, Array]
    slices: dict[str, Array]
    plan: ServingPlan
    until: datetime | None

    def taken(self, rows: Array) -> "LearningRows":
        times = None if self.times is None else self.times[rows]
        features, slices = take(self.features, rows), take(self.slices, rows)
        return LearningRows(self.ids[rows], times, self.labels[rows], features, slices, self.plan, self.until)

    def parts(self, names: Sequence[str]) -> Iterator[Columns]:
        yield {name: self.features[name] for name in names}

    def blocks(self, preprocessing: Preprocessing, target: Array) -> Blocks:
        from trimtab.steps.network.loader import MatrixBlocks

        return MatrixBlocks(preprocessing.matrix(self.features), target)


def read_learning_rows(pointer: Pointer, engine: Engine, tables: Tables) -> LearningRows:
    """The features table that featurize wrote."""
    metadata: Any = tables.at(pointer.table, pointer.version).metadata
    plan = ServingPlan.from_json(metadata["plan"])
    with engine.session() as session:
        session.mount("rows", pointer)
        table = session.arrow(f"select * from rows order by {ROW}")
    until = metadata["until"]
    slices = [name for name in table.column_names if name.startswith(SLICE)]
    return LearningRows(
        ids=column(table.column(ID), "string"),
        times=column(table.column(TIME), "timestamp") if TIME in table.column_names else None,
        labels=column(table.column(LABEL), "number"),
        features=columns(table, {field.name: field.type for field in plan.outputs}),
        slices={name.removeprefix(SLICE): column(table.column(name), "string") for name in slices},
        plan=plan,
        until=datetime.fromisoformat(until) if until else None,
    )


def _micros(moment: datetime) -> int:
    return round(moment.timestamp() * 1e6)
