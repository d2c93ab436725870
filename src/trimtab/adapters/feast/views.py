"""A feature view of Feast's as the PlannedView that it was generated from."""

from typing import Any

from feast import FeatureView
from feast.types import Float64, String, UnixTimestamp

from trimtab.adapters.feast.as_of_reader import DeltaAddress
from trimtab.features.columns import Kind
from trimtab.features.plan import PlannedColumn, PlannedView

EPOCH = "trimtab_epoch"
VERSION = "trimtab.version"
TYPES: dict[Kind, Any] = {"number": Float64, "boolean": Float64, "string": String, "timestamp": UnixTimestamp}


def planned(view: FeatureView, full_names: bool = False) -> PlannedView:
    """The view's keys, time, age and columns; `full_names` puts `<view>__` before the columns' input names."""
    assert view.batch_source is not None
    source_of = {name: source for source, name in view.batch_source.field_mapping.items()}
    shown = view.projection.name_to_use()  # type: ignore[no-untyped-call]  # Feast's own lacks them
    columns = tuple(
        PlannedColumn(
            source_of.get(field.name, field.name),
            f"{shown}__{field.name}" if full_names else field.name,
            kind(field),
        )
        for field in view.features
    )
    time = view.batch_source.timestamp_field
    max_age_s = view.ttl.total_seconds() if view.ttl else None
    by = tuple(column.name for column in view.entity_columns)
    return PlannedView(view.name, by, None if time == EPOCH else time, max_age_s or None, columns)


def key_kinds(view: FeatureView) -> dict[str, str]:
    return {column.name: "string" if column.dtype == String else "number" for column in view.entity_columns}


def address(view: FeatureView) -> DeltaAddress:
    """Where the view's table lies, and which version `apply` named."""
    assert view.batch_source is not None
    version = view.tags.get(VERSION)
    return DeltaAddress(str(view.batch_source.path), None if version is None else int(version))  # type: ignore[attr-defined]  # a FileSource, by generation


def kind(field: Any) -> Kind:
    """The kind of one of Feast's fields."""
    if field.dtype == String:
        return "string"
    return "timestamp" if field.dtype == UnixTimestamp else "number"
