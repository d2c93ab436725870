"""One S3 server for all of these tests, and for each a folder in its bucket."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.contract.s3_server import Proxy, S3Server, environment


@dataclass
class Lake:
    """Tables in a folder of the bucket, reached through a proxy."""

    proxy: Proxy
    address: str

    @property
    def tables(self) -> Any:
        from trimtab.adapters.delta import DeltaTables

        return DeltaTables(self.address)


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server(tmp_path_factory.mktemp("s3"))
    yield server
    server.kill()


@pytest.fixture(scope="session")
def s3_proxy(s3_server: S3Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    proxy = Proxy(s3_server.port, tmp_path_factory.mktemp("proxy"))
    yield proxy
    proxy.kill()


@pytest.fixture
def lake(s3_proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lake]:
    for name, value in environment(s3_proxy.port).items():
        monkeypatch.setenv(name, value)
    s3_proxy.told()
    yield Lake(s3_proxy, f"s3://lake/{tmp_path.name}")
    s3_proxy.harm()
