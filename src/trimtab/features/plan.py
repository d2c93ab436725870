"""The serving plan: all that a model server must know to turn a request into features, as a small JSON.

It stands in the model folder as plan.json, so that a server needs neither the project nor its tables.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from trimtab.api.errors import InputRefused
from trimtab.features.columns import Kind
from trimtab.features.definition import FeatureDefinition
from trimtab.features.schema import Field, Task

FORMAT = 1


class PlanRefused(InputRefused):
    """A plan.json that this version cannot read."""


@dataclass(frozen=True, slots=True)
class PlannedColumn:
    """A view's column: its name in the table (and online store), its name as an input, its kind."""

    source: str
    name: str
    type: Kind


@dataclass(frozen=True, slots=True)
class PlannedView:
    """A view to look up, by fields of the request.

    Attributes:
        name: the table, and the view's name in the online store.
        by: key columns, fields of the request.
        time: the table's time column, None for a table without time.
        max_age_s: a row older than this at the request's time gives nulls; None for no limit.
        columns: what is read of it.
    """

    name: str
    by: tuple[str, ...]
    time: str | None
    max_age_s: float | None
    columns: tuple[PlannedColumn, ...]


@dataclass(frozen=True, slots=True)
class LabelRule:
    """When a label is known, and what a missing one means.

    Attributes:
        column: the label's column in the examples table.
        known_at: its column that says when a label came; None when it came with the row.
        mature_after_s: a cohort is scored this long after its event time.
        missing: "exclude", or the value that a missing label stands for, as text.
    """

    column: str
    known_at: str | None
    mature_after_s: float
    missing: str = "exclude"


@dataclass(frozen=True, slots=True)
class ServingPlan:
    """The serving plan of one model.

    Attributes:
        model_name: the served name, the project's, for every revision.
        inputs: fields of the request.
        key: example key; optional on the wire, logged, never a feature.
        time: the request's field that holds its event time; None for wall time.
        views: what is looked up.
        transform_digest: sha256 of features.py, hex; "" when the model has none (input is output).
        outputs: the features, in transform's order; the ONNX model's inputs.
        task, classes: what the model answers; classes in the order of the probabilities' columns.
        label: the label rule.
        time_zone: IANA name; where a local day is cut.
    """

    model_name: str
    inputs: tuple[Field, ...]
    key: tuple[str, ...]
    time: str | None
    views: tuple[PlannedView, ...]
    transform_digest: str
    outputs: tuple[Field, ...]
    task: Task
    classes: tuple[str, ...]
    label: LabelRule
    time_zone: str = "UTC"

    def to_json(self) -> str:
        """Canonical JSON, keys sorted: equal plans have equal bytes."""
        return json.dumps({"format": FORMAT, **asdict(self)}, sort_keys=True, indent=1) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> "ServingPlan":
        """The plan in a plan.json; unknown fields are ignored, so that older servers read newer plans.

        Raises:
            PlanRefused: no JSON, another format, or a field is missing.
        """
        try:
            raw = json.loads(text)
            if raw["format"] != FORMAT:
                raise PlanRefused(
                    f"plan.json has format {raw['format']}, this version reads {FORMAT}",
                    remedy="serve the model with the trimtab that exported it, or a later one",
                )
            return _plan(raw)
        except (ValueError, KeyError, TypeError) as error:
            raise PlanRefused(f"plan.json is damaged: {error!r}", remedy="export the model again") from error


def _plan(raw: Mapping[str, Any]) -> ServingPlan:
    label = raw["label"]
    return ServingPlan(
        model_name=raw["model_name"],
        inputs=tuple(Field(field["name"], field["type"]) for field in raw["inputs"]),
        key=tuple(raw["key"]),
        time=raw["time"],
        views=tuple(
            PlannedView(
                view["name"],
                tuple(view["by"]),
                view["time"],
                view["max_age_s"],
                tuple(PlannedColumn(c["source"], c["name"], c["type"]) for c in view["columns"]),
            )
            for view in raw["views"]
        ),
        transform_digest=raw["transform_digest"],
        outputs=tuple(Field(field["name"], field["type"]) for field in raw["outputs"]),
        task=raw["task"],
        classes=tuple(raw["classes"]),
        label=LabelRule(label["column"], label["known_at"], label["mature_after_s"], label["missing"]),
        time_zone=raw["time_zone"],
    )


def planned_views(
    definition: FeatureDefinition, view_kinds: Mapping[str, Mapping[str, Kind]]
) -> tuple[PlannedView, ...]:
    """The definition's views with the kinds of their tables' columns.

    Raises:
        FeaturesRefused: a table or a column that a View names is not there.
    """
    definition.input_kinds(view_kinds)
    return tuple(
        PlannedView(
            view.name,
            view.by,
            view.time,
            view.max_age_s,
            tuple(
                PlannedColumn(source, name, view_kinds[view.name][source])
                for source, name in view.columns.items()
            ),
        )
        for view in definition.views
    )
