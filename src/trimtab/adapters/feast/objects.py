"""Feast's objects, generated from a serving plan: a project writes none of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from feast import Entity, FeatureService, FeatureView, Field, FileSource, OnDemandFeatureView, RequestSource
from feast.data_format import DeltaFormat
from feast.transformation.pandas_transformation import PandasTransformation
from feast.value_type import ValueType

from trimtab.adapters.feast.as_of_reader import DeltaAddress
from trimtab.adapters.feast.views import EPOCH, TYPES, VERSION
from trimtab.features.columns import DTYPES, Kind
from trimtab.features.plan import ServingPlan

REQUEST = "request__"


@dataclass(frozen=True, slots=True)
class FeastObjects:
    """What `apply` registers."""

    entities: tuple[Entity, ...]
    views: tuple[FeatureView, ...]
    on_demand: OnDemandFeatureView
    service: FeatureService

    @property
    def all(self) -> list[Any]:
        return [*self.entities, *self.views, self.on_demand, self.service]


def generated(plan: ServingPlan, tables: Mapping[str, DeltaAddress], features: Path) -> FeastObjects:
    """An Entity a key, a FeatureView a View, one request source, one on-demand view, one service.

    A name that is both join key and request field breaks Feast, so request fields are called `request__<name>`.

    Args:
        tables: address by view.
        features: features.py, which the on-demand view runs; it must stay where it is.
    """
    kinds = {field.name: field.type for field in plan.inputs}
    keys = dict.fromkeys(key for view in plan.views for key in view.by)
    entities = {
        key: Entity(
            name=key,
            join_keys=[key],
            value_type=ValueType.STRING if kinds[key] == "string" else ValueType.DOUBLE,
        )
        for key in keys
    }
    views = tuple(
        FeatureView(
            name=view.name,
            entities=[entities[key] for key in view.by],
            ttl=timedelta(seconds=view.max_age_s or 0),
            schema=[
                *(Field(name=key, dtype=TYPES[kinds[key]]) for key in view.by),
                *(Field(name=column.name, dtype=TYPES[column.type]) for column in view.columns),
            ],
            source=FileSource(
                name=f"{view.name}_table",
                path=tables[view.name].path,
                file_format=DeltaFormat(),
                timestamp_field=view.time or EPOCH,
                field_mapping={
                    column.source: column.name for column in view.columns if column.source != column.name
                },
            ),
            tags={} if tables[view.name].version is None else {VERSION: str(tables[view.name].version)},
        )
        for view in plan.views
    )
    request = RequestSource(
        name=f"{plan.model_name}_request",
        schema=[Field(name=REQUEST + field.name, dtype=TYPES[field.type]) for field in plan.inputs],
    )
    on_demand = OnDemandFeatureView(
        name=f"{plan.model_name}_features",
        sources=[request, *views],
        schema=[Field(name=f"out__{field.name}", dtype=TYPES[field.type]) for field in plan.outputs],
        feature_transformation=PandasTransformation(_transform(plan, features), udf_string=str(features)),
        mode="pandas",
    )
    service = FeatureService(name=plan.model_name, features=[on_demand])
    return FeastObjects(tuple(entities.values()), views, on_demand, service)


def _transform(plan: ServingPlan, features: Path) -> Any:
    """The on-demand view's function; it travels pickled, so it holds plain values only."""
    request = {field.name: field.type for field in plan.inputs}
    looked_up = {column.name: column.type for view in plan.views for column in view.columns}
    path = str(features)

    def transform(frame: pd.DataFrame) -> pd.DataFrame:
        from pathlib import Path as LocalPath

        from trimtab.adapters.feast.objects import as_columns
        from trimtab.features import load_features

        inputs = as_columns(frame, request, looked_up)
        answer = load_features(LocalPath(path)).features(inputs)
        return pd.DataFrame({f"out__{name}": values for name, values in answer.items()}, index=frame.index)

    return transform


def as_columns(
    frame: pd.DataFrame, request: Mapping[str, Kind], looked_up: Mapping[str, Kind]
) -> dict[str, Any]:
    """Feast's frame as `Columns`: the prefix off, missing values as each kind has them."""
    named = {name: (REQUEST + name, kind) for name, kind in request.items()}
    named |= {name: (name, kind) for name, kind in looked_up.items()}
    columns: dict[str, Any] = {}
    for name, (held, kind) in named.items():
        series = frame[held]
        if kind == "string":
            columns[name] = series.astype(object).where(series.notna(), "").to_numpy(object)
        elif kind == "timestamp":
            stamps = pd.to_datetime(series, utc=True)
            columns[name] = stamps.dt.tz_localize(None).to_numpy().astype(DTYPES[kind])
        else:
            columns[name] = series.to_numpy(np.float64, na_value=np.nan)
    return columns
