"""`feast serve` over a registered store, as a process of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.cluster.kube.poll import eventually


@contextmanager
def feast_serve(folder: Path, registered: Any, **more: Any) -> Iterator[str]:
    """The address of a feature server on a port that the kernel chooses.

    Args:
        more: of its feature_store.yaml, in place of what the store says.
    """
    import yaml

    config = registered.store.config
    told = {
        "project": config.project, "provider": "local", "entity_key_serialization_version": 3,
        "registry": {"registry_type": "sql", "path": config.registry.path},
        "offline_store": {"type": "trimtab.adapters.feast.offline.TrimtabOfflineStore"},
        "online_store": {"type": "trimtab.adapters.feast.online.TrimtabOnlineStore", "path": str(registered.online)},
        **more,
    }  # fmt: skip
    (folder / "feature_store.yaml").write_text(yaml.safe_dump(told))
    feast = str(Path(sys.executable).with_name("feast"))
    quiet: Mapping[str, str] = {"FEAST_USAGE": "False", "DO_NOT_TRACK": "1", "HOME": str(folder)}
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [feast, "-c", str(folder), "serve", "--host", "127.0.0.1", "--port", "0"],
            stdout=log, stderr=log, env={**os.environ, **quiet},
        )  # fmt: skip
    try:

        def listens() -> str:
            said = (folder / "log").read_text()
            assert server.poll() is None, said
            ready = "Application startup complete" in said
            return said.partition("Listening at: ")[2].split()[0] if ready else ""

        yield eventually("Feast's server listens", listens, 180, every_s=0.1)
    finally:
        server.terminate()
        server.wait(timeout=60)
