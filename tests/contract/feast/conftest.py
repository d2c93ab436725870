"""Real flights, their plan, and a Feast store over them."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from learning_workshop import Workshop, flights_workshop

from tests.contract.redis_server import RedisServer

BEFORE = datetime(2013, 2, 20, 12, tzinfo=UTC)


@dataclass
class Registered:
    """A Feast store, and what it was made of."""

    shop: Workshop
    plan: Any
    tables: dict[str, Any]
    online: Path
    store: Any

    @property
    def key_kinds(self) -> dict[str, str]:
        return {field.name: field.type for field in self.plan.inputs}


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    yield server
    server.kill()


@pytest.fixture(scope="session")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Registered:
    from trimtab.adapters.feast.as_of_reader import DeltaAddress
    from trimtab.adapters.feast.registration import apply, feature_store

    shop = flights_workshop(tmp_path_factory.mktemp("feast"))
    plan = shop.featurize().plan
    tables = {
        name: DeltaAddress(shop.tables.address(name), pointer.version)
        for name, pointer in shop.pointers.items()
    }
    online = shop.root / "online.db"
    store = feature_store("flights", shop.root / "feast", online)
    apply(store, plan, tables, shop.features_py)
    return Registered(shop, plan, tables, online, store)
