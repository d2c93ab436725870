"""Feast's offline store: point-in-time reads by `as_of_reader`, no row lost, max_age enforced.

Feast's own dask store dropped unmatched rows of the entity frame (28,782 of 100,000).
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
from feast import FeatureView, FileSource, OnDemandFeatureView
from feast.data_source import DataSource
from feast.infra.offline_stores.offline_store import OfflineStore, RetrievalJob, RetrievalMetadata
from feast.infra.offline_stores.offline_utils import infer_event_timestamp_from_entity_df
from feast.infra.registry.base_registry import BaseRegistry
from feast.repo_config import FeastConfigBaseModel, RepoConfig

from trimtab.adapters.feast.as_of_reader import DeltaAddress, as_of, key_kinds_of, latest
from trimtab.adapters.feast.views import EPOCH, address, key_kinds, planned
from trimtab.features.plan import PlannedColumn, PlannedView
from trimtab.features.point_in_time import ROW, TIME


class TrimtabOfflineStoreConfig(FeastConfigBaseModel):
    """`offline_store: {type: trimtab.adapters.feast.offline.TrimtabOfflineStore}`."""

    type: Literal["trimtab.adapters.feast.offline.TrimtabOfflineStore"] = (
        "trimtab.adapters.feast.offline.TrimtabOfflineStore"
    )


class AsOfJob(RetrievalJob):
    """A read that runs when it is asked for its result."""

    def __init__(
        self,
        read: Callable[[], pa.Table],
        metadata: RetrievalMetadata | None = None,
        on_demand: list[OnDemandFeatureView] | None = None,
        full_feature_names: bool = False,
    ) -> None:
        self._read = read
        self._metadata = metadata
        self._on_demand = on_demand or []
        self._full_feature_names = full_feature_names

    def _to_arrow_internal(self, timeout: int | None = None) -> pa.Table:
        return self._read()

    def _to_df_internal(self, timeout: int | None = None) -> pd.DataFrame:
        return self._read().to_pandas()

    @property
    def full_feature_names(self) -> bool:
        return self._full_feature_names

    @property
    def on_demand_feature_views(self) -> list[OnDemandFeatureView]:
        return self._on_demand

    @property
    def metadata(self) -> RetrievalMetadata | None:
        return self._metadata


class TrimtabOfflineStore(OfflineStore):
    """Reads the feature views that `objects.generated` makes."""

    @staticmethod
    def get_historical_features(
        config: RepoConfig,
        feature_views: list[FeatureView],
        feature_refs: list[str],
        entity_df: pd.DataFrame | str | None,
        registry: BaseRegistry,
        project: str,
        full_feature_names: bool = False,
        **unused: Any,
    ) -> RetrievalJob:
        if not isinstance(entity_df, pd.DataFrame):
            raise ValueError("trimtab's offline store takes the entity frame as a pandas DataFrame")
        stamp = infer_event_timestamp_from_entity_df(
            dict(zip(entity_df.columns, entity_df.dtypes, strict=True))
        )
        times = pd.to_datetime(entity_df[stamp], utc=True)

        def read() -> pa.Table:
            frame = pa.Table.from_pandas(entity_df, preserve_index=False)
            asked = frame.append_column(ROW, pa.array(np.arange(frame.num_rows)))
            asked = asked.append_column(TIME, pa.array(times, pa.timestamp("us", tz="UTC")))
            kinds: dict[str, str] = {}
            for view in feature_views:
                kinds |= key_kinds(view)
            views = [planned(view, full_feature_names) for view in feature_views]
            found = as_of(asked, views, {view.name: address(view) for view in feature_views}, kinds)
            for name in found.column_names:
                if name != ROW:
                    frame = frame.append_column(name, found.column(name))
            return frame

        metadata = RetrievalMetadata(
            features=feature_refs,
            keys=[column for column in entity_df.columns if column != stamp],
            min_event_timestamp=times.min().to_pydatetime(),
            max_event_timestamp=times.max().to_pydatetime(),
        )
        on_demand = OnDemandFeatureView.get_requested_odfvs(feature_refs, project, registry)
        return AsOfJob(read, metadata, on_demand, full_feature_names)

    @staticmethod
    def pull_latest_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None,
        start_date: datetime,
        end_date: datetime,
    ) -> RetrievalJob:
        return AsOfJob(
            lambda: _read(data_source, join_key_columns, feature_name_columns, timestamp_field, end_date)
        )

    @staticmethod
    def pull_all_from_table_or_query(
        config: RepoConfig,
        data_source: DataSource,
        join_key_columns: list[str],
        feature_name_columns: list[str],
        timestamp_field: str,
        created_timestamp_column: str | None = None,
        start_date: datetime | None = None,
        end_date: datetime | None = None,
    ) -> RetrievalJob:
        """Each key's newest row before `end_date`: all that materialisation, its one caller here, keeps."""
        return AsOfJob(
            lambda: _read(data_source, join_key_columns, feature_name_columns, timestamp_field, end_date)
        )


def _read(
    source: DataSource, keys: list[str], columns: list[str], timestamp_field: str, before: datetime | None
) -> pa.Table:
    """Each key's newest row, under Feast's column names; a table without time gets the epoch."""
    assert isinstance(source, FileSource)
    table = DeltaAddress(source.path)
    time = None if timestamp_field == EPOCH else timestamp_field
    view = PlannedView(
        "source", tuple(keys), time, None, tuple(PlannedColumn(n, n, "number") for n in columns)
    )
    rows = latest(view, table, key_kinds_of(table, keys), before)
    stamps = rows.column(TIME) if time else pa.array([0] * rows.num_rows, pa.timestamp("us", tz="UTC"))
    named = {name: rows.column(f"k{j}") for j, name in enumerate(keys)}
    return pa.table({**named, **{name: rows.column(name) for name in columns}, timestamp_field: stamps})
