"""A Feast store over a project's tables and its online store: configuration, apply, SDK access."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from trimtab.adapters.feast.as_of_reader import DeltaAddress
from trimtab.features.plan import ServingPlan

if TYPE_CHECKING:
    from feast import FeatureStore


def feature_store(project: str, folder: Path, online: Path | str) -> "FeatureStore":
    """Feast's SDK over trimtab's two stores, with an SQLite registry in `folder`.

    Args:
        online: the packed store's file, or the address of its Redis.
    """
    os.environ["FEAST_USAGE"] = "False"
    from feast import FeatureStore, RepoConfig

    folder.mkdir(parents=True, exist_ok=True)
    config: dict[str, Any] = {
        "project": project.replace("-", "_"),
        "provider": "local",
        "registry": {"registry_type": "sql", "path": f"sqlite:///{(folder / 'registry.db').resolve()}"},
        "offline_store": {"type": "trimtab.adapters.feast.offline.TrimtabOfflineStore"},
        "online_store": {"type": "trimtab.adapters.feast.online.TrimtabOnlineStore", "path": str(online)},
        "entity_key_serialization_version": 3,
    }
    return FeatureStore(config=RepoConfig(repo_path=folder, **config))


def apply(
    store: "FeatureStore", plan: ServingPlan, tables: Mapping[str, DeltaAddress], features: Path
) -> None:
    """Register the plan's generated objects. Applying again replaces them."""
    from trimtab.adapters.feast.objects import generated

    store.apply(generated(plan, tables, features).all)
