"""Feast's online store on the packed store: what Feast writes, the model server reads, and the other way round."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any, Literal

import numpy as np
from feast import Entity, FeatureView
from feast.infra.key_encoding_utils import serialize_entity_key  # noqa: F401  # fails early if Feast's keys move
from feast.infra.online_stores.online_store import OnlineStore
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import Value
from feast.repo_config import FeastConfigBaseModel, RepoConfig
from pydantic import StrictStr

from trimtab.adapters.feast.views import planned
from trimtab.adapters.online import online_store
from trimtab.features.columns import DTYPES, MISSING, Array, Kind
from trimtab.features.inputs import entity_keys
from trimtab.features.plan import PlannedView
from trimtab.ports.online import OnlineStore as Packed

_NOT_A_TIME = np.iinfo(np.int64).min


class TrimtabOnlineStoreConfig(FeastConfigBaseModel):
    """`online_store: {type: trimtab.adapters.feast.online.TrimtabOnlineStore, path: …/online.db}`; or, as the path, the
    address of a Redis: `redis://:${REDIS_PASSWORD}@HOST:6379/0`."""

    type: Literal["trimtab.adapters.feast.online.TrimtabOnlineStore"] = (
        "trimtab.adapters.feast.online.TrimtabOnlineStore"
    )
    path: StrictStr


class TrimtabOnlineStore(OnlineStore):
    """Packed rows under Feast's API."""

    _held: Packed | None = None

    def _store(self, config: RepoConfig) -> Packed:
        if self._held is None:
            self._held = online_store(config.online_store.path, config.project)
        return self._held

    def online_write_batch(
        self,
        config: RepoConfig,
        table: FeatureView,
        data: Sequence[tuple[EntityKey, dict[str, Value], datetime, datetime | None]],
        progress: Callable[[int], Any] | None,
    ) -> None:
        view = planned(table)
        kinds: dict[str, Kind] = {column.source: column.type for column in view.columns}
        columns = {
            column.source: _column([values.get(column.name) for _, values, _, _ in data], column.type)
            for column in view.columns
        }
        times = np.array([_micros(moment) for _, _, moment, _ in data], np.int64).view("datetime64[us]")
        keys = _keys(view, [key for key, _, _, _ in data])
        self._store(config).write(view.name, kinds, keys, times if view.time else None, columns)
        if progress:
            progress(len(data))

    def online_read(
        self,
        config: RepoConfig,
        table: FeatureView,
        entity_keys: list[EntityKey],
        requested_features: list[str] | None = None,
    ) -> list[tuple[datetime | None, dict[str, Value] | None]]:
        view = planned(table)
        (found,) = self._store(config).read([(view.name, _keys(view, entity_keys))])
        held = {
            column.name: _values(found.columns[column.source], column.type)
            for column in view.columns
            if (requested_features is None or column.name in requested_features)
            and column.source in found.columns
        }
        return [
            (None, None)
            if moment is None
            else (moment.replace(tzinfo=UTC), {name: values[row] for name, values in held.items()})
            for row, moment in enumerate(found.times.tolist())
        ]

    def update(
        self,
        config: RepoConfig,
        tables_to_delete: Sequence[FeatureView],
        tables_to_keep: Sequence[FeatureView],
        entities_to_delete: Sequence[Entity],
        entities_to_keep: Sequence[Entity],
        partial: bool,
    ) -> None:
        """Nothing to prepare: a row carries its layout."""
        self._store(config)

    def teardown(self, config: RepoConfig, tables: Sequence[FeatureView], entities: Sequence[Entity]) -> None:
        """The store outlives a registry: servers read it."""


def _keys(view: PlannedView, given: Sequence[EntityKey]) -> list[str | None]:
    """Entity keys as the packed store names them."""
    parts: dict[str, list[Any]] = {name: [] for name in view.by}
    for key in given:
        held = dict(zip(key.join_keys, key.entity_values, strict=True))
        for name in view.by:
            parts[name].append(_plain(held[name]))
    columns = {}
    for name, values in parts.items():
        text = any(isinstance(value, str) for value in values)
        columns[name] = (
            np.array(["" if value is None else str(value) for value in values], object)
            if text or all(value is None for value in values)
            else np.array([np.nan if value is None else float(value) for value in values])
        )
    return entity_keys(view, columns)


def _plain(value: Value) -> Any:
    which = value.WhichOneof("val")
    return None if which is None or which == "null_val" else getattr(value, which)


def _column(values: Sequence[Value | None], kind: Kind) -> Array:
    plain = [None if value is None else _plain(value) for value in values]
    if kind == "timestamp":
        seconds = [None if value is None else np.datetime64(int(value), "s") for value in plain]
        return np.array([np.datetime64("NaT", "us") if s is None else s for s in seconds], DTYPES[kind])
    return np.array([MISSING[kind] if value is None else value for value in plain], DTYPES[kind])


def _values(column: Array, kind: Kind) -> list[Value]:
    """A column as Feast's values, missing ones empty."""
    if kind == "string":
        return [Value(string_val=value) if value else Value() for value in column.tolist()]
    if kind == "timestamp":
        micros = column.view(np.int64).tolist()
        return [Value() if m == _NOT_A_TIME else Value(unix_timestamp_val=m // 1_000_000) for m in micros]
    return [Value(double_val=value) if value == value else Value() for value in column.tolist()]


def _micros(moment: datetime) -> int:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return round(aware.timestamp() * 1e6)
