"""A constant load of V2 calls over gRPC on a gateway, from this process: one connection, calls sent by the clock."""

import json
import threading
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from tests.cluster.kube.background import Background
from tests.cluster.node.served import MODEL

DEADLINE_S: Final = 10.0
KEPT: Final = 20
CONTENTS: Final[Mapping[str, str]] = {
    "BOOL": "bool_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}


class GrpcLoad(Background):
    """Calls of ModelInfer from its start to `stop`.

    Attributes:
        answered: answers by the revision that gave them, until now.
        failures: the first that were none: the status and what it says.
        failed: how many.
    """

    def __init__(self, port: int, host: str, bodies: Path, rate: float) -> None:
        """
        Args:
            port: of 127.0.0.1, that leads to the gateway.
            host: what the calls' :authority says.
            bodies: file with a JSON list of V2 bodies of REST.
            rate: calls a second.
        """
        import grpc
        from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import GRPCInferenceServiceStub

        super().__init__()
        self.answered: Counter[str] = Counter()
        self.failures: list[str] = []
        self.failed = self.sent = 0
        self._messages = [_message(body) for body in json.loads(bodies.read_text())]
        self._rate = rate
        self._channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.default_authority", host)])
        self._stub = GRPCInferenceServiceStub(self._channel)
        self._lock = threading.Lock()
        self._under_way = threading.Semaphore(0)
        self._began = time.monotonic()

    def stop(self) -> float:
        """End it, once what is under way is answered; calls a second that it sent."""
        if not self.stopping.is_set():
            super().stop()
            for _ in range(self.sent):
                self._under_way.acquire()
            self._elapsed_s = time.monotonic() - self._began
            self._channel.close()
        return self.sent / self._elapsed_s

    def work(self) -> None:
        while not self.stopping.wait(max(0.0, self._began + self.sent / self._rate - time.monotonic())):
            asked = self._messages[self.sent % len(self._messages)]
            self._stub.ModelInfer.future(asked, timeout=DEADLINE_S).add_done_callback(self._done)
            self.sent += 1

    def _done(self, call: Any) -> None:
        with self._lock:
            if call.code().name == "OK":
                self.answered[call.result().model_version] += 1
            else:
                self.failed += 1
                if len(self.failures) < KEPT:
                    self.failures.append(f"{call.code().name}: {call.details()}")
        self._under_way.release()


def _message(body: Mapping[str, Any]) -> Any:
    """A V2 request of REST as gRPC's: NaN and "" for null, which it does not know."""
    from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

    made = pb.ModelInferRequest(model_name=MODEL)
    for tensor in body["inputs"]:
        kind, values = tensor["datatype"], tensor["data"]
        added = made.inputs.add(name=tensor["name"], datatype=kind, shape=tensor["shape"])
        if kind == "BYTES":
            values = [(value or "").encode() for value in values]
        elif kind == "FP64":
            values = [float("nan") if value is None else value for value in values]
        getattr(added.contents, CONTENTS[kind]).extend(values)
    return made
