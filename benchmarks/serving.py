"""Row 6: CPU a prediction request costs the server: ours beside KServe's ModelServer as it comes.

Both serve the same ONNX file (a 25-64-64-2 MLP with 25 named inputs) with ONNX Runtime on one thread and
speak V2 as JSON over HTTP/1.1 and as messages over gRPC, at 16 connections that are kept. KServe's server
stacks the named inputs into feeds and answers, nothing else; ours also checks types, runs a features.py, and
logs every request to a sink. CPU is the server process's user and system time, read from /proc, over the
requests between two readings.

    python benchmarks/serving.py [--requests 4000]
"""

import argparse
import asyncio
import hashlib
import itertools
import json
import os
import platform
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np

Results: TypeAlias = dict[str, dict[int, tuple[float, float]]]

FEATURES = 25
CONNECTIONS = 16
BATCHES = (1, 4, 100)
NAMES = [f"x{number}" for number in range(FEATURES)]
TICKS = os.sysconf("SC_CLK_TCK")


def build(folder: Path) -> None:
    """A model folder with an MLP of fixed weights."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    from trimtab.features import Field, ServingPlan, load_features
    from trimtab.features.plan import LabelRule

    draw = np.random.default_rng(7)
    sizes = (FEATURES, 64, 64, 2)
    nodes, constants, before = [helper.make_node("Concat", NAMES, ["h0"], axis=1)], [], "h0"
    for layer, (wide, out) in enumerate(itertools.pairwise(sizes)):
        constants.append(numpy_helper.from_array(draw.normal(0, 0.1, (wide, out)).astype("f4"), f"w{layer}"))
        nodes.append(helper.make_node("MatMul", [before, f"w{layer}"], [f"p{layer}"]))
        before = f"h{layer + 1}"
        nodes.append(helper.make_node("Relu", [f"p{layer}"], [before]))
    nodes.append(helper.make_node("Softmax", ["p2"], ["probabilities"], axis=1))
    graph = helper.make_graph(
        nodes,
        "mlp",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 1]) for name in NAMES],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", 2])],
        constants,
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8),
        folder / "model.onnx",
    )
    fields = ", ".join(f'{name}="number"' for name in NAMES)
    (folder / "features.py").write_text(
        f"from trimtab.features import Request\n\nREQUEST = Request({fields})\n\n\n"
        "def transform(rows):\n    return dict(rows)\n"
    )
    numbers = tuple(Field(name, "number") for name in NAMES)
    digest = load_features(folder / "features.py").digest
    label = LabelRule("y", None, 0.0)
    plan = ServingPlan("mlp", numbers, ("id",), None, (), digest, numbers, "binary", ("0", "1"), label)
    (folder / "plan.json").write_text(plan.to_json())
    files = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}
    (folder / "manifest.json").write_text(json.dumps({"files": files}))


STOCK = """
import sys
import numpy as np, onnxruntime
from kserve import InferOutput, InferResponse, Model, ModelServer

class Mlp(Model):
    def __init__(self):
        super().__init__("mlp")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(PATH, options)
        self.ready = True

    async def predict(self, payload, headers=None, response_headers=None):
        feed = {tensor.name: tensor.as_numpy().astype(np.float32) for tensor in payload.inputs}
        (answer,) = self.session.run(["probabilities"], feed)
        output = InferOutput("probabilities", list(answer.shape), "FP32")
        output.set_data_from_numpy(answer, binary_data=False)
        return InferResponse(payload.id or "", self.name, [output])

ModelServer(http_port=PORT, grpc_port=GRPC, enable_grpc=True).start([Mlp()])
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def running(command: list[str], port: int, log: Path) -> Iterator[int]:
    """The process id of a server that answers on the port."""
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        deadline = time.monotonic() + 90
        while True:
            try:
                asyncio.run(load(port, request(1), 1, connections=1))
                break
            except (OSError, EOFError):
                if process.poll() is not None or time.monotonic() > deadline:
                    sys.exit(f"the server did not start:\n{log.read_text()}")
                time.sleep(0.1)
        yield process.pid
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def request(rows: int) -> bytes:
    """A V2 request, with its HTTP head."""
    draw = np.random.default_rng(rows)
    inputs = [
        {"name": name, "shape": [rows, 1], "datatype": "FP64", "data": draw.normal(size=rows).tolist()}
        for name in NAMES
    ]
    body = json.dumps({"inputs": inputs}).encode()
    head = (
        "POST /v2/models/mlp/infer HTTP/1.1\r\nhost: bench\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def load(port: int, message: bytes, requests: int, connections: int = CONNECTIONS) -> None:
    """Send the request `requests` times, each connection one after another."""

    async def send(times: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for _ in range(times):
                writer.write(message)
                head = await reader.readuntil(b"\r\n\r\n")
                if not head.startswith(b"HTTP/1.1 200"):
                    raise SystemExit(f"answered {head!r}")
                length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
                assert length is not None
                await reader.readexactly(int(length[1]))
        finally:
            writer.close()

    await asyncio.gather(*(send(requests // connections) for _ in range(connections)))


def grpc_request(rows: int) -> bytes:
    """The same as a ModelInferRequest."""
    from trimtab.serving import lean_kserve

    lean_kserve.prepare()
    from kserve.protocol.grpc import grpc_predict_v2_pb2 as pb

    draw = np.random.default_rng(rows)
    asked = pb.ModelInferRequest(model_name="mlp")
    for name in NAMES:
        tensor = asked.inputs.add(name=name, datatype="FP64", shape=[rows, 1])
        tensor.contents.fp64_contents.extend(draw.normal(size=rows).tolist())
    return bytes(asked.SerializeToString())


async def grpc_load(port: int, message: bytes, requests: int, connections: int = CONNECTIONS) -> None:
    """As `load`; a call that fails raises."""
    import grpc

    async def send(times: int) -> None:
        own = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}", options=own) as channel:
            infer = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
            for _ in range(times):
                await infer(message)

    await asyncio.gather(*(send(requests // connections) for _ in range(connections)))


def cpu_us(pid: int) -> float:
    """User and system time of a process so far, µs."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS * 1e6


def measure(pid: int, send: Callable[[int], Coroutine[Any, Any, None]], requests: int) -> tuple[float, float]:
    """CPU µs a request, and requests a second."""
    asyncio.run(send(requests // 4))
    before, started = cpu_us(pid), time.perf_counter()
    asyncio.run(send(requests))
    wall_s = time.perf_counter() - started
    return (cpu_us(pid) - before) / requests, requests / wall_s


SINK = """
import asyncio, re

async def connected(reader, writer):
    while True:
        head = await reader.readuntil(b"\\r\\n\\r\\n")
        await reader.readexactly(int(re.search(rb"(?i)content-length: (\\d+)", head)[1]))
        writer.write(b"HTTP/1.1 202 Accepted\\r\\ncontent-length: 0\\r\\n\\r\\n")

async def main():
    await (await asyncio.start_server(connected, "127.0.0.1", PORT, limit=1 << 22)).serve_forever()

asyncio.run(main())
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=4000)
    requests = parser.parse_args().requests
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "model"
        folder.mkdir()
        build(folder)
        digest = hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest()
        rest: Results = {}
        grpc: Results = {}
        for name in ("KServe ModelServer", "trimtab, no sink", "trimtab"):
            port, grpc_port, sink = free_port(), free_port(), free_port()
            command = [sys.executable, "-m", "trimtab.bootstrap.serving", "--model-dir", str(folder)]
            command += ["--model-name", "mlp", "--revision", "00000000", "--http-port", str(port)]
            command += ["--grpc-port", str(grpc_port)]
            if name.startswith("KServe"):
                source = STOCK.replace("PATH", repr(str(folder / "model.onnx"))).replace("PORT", str(port))
                command = [sys.executable, "-c", source.replace("GRPC", str(grpc_port))]
            collecting = None
            if name == "trimtab":
                collecting = subprocess.Popen([sys.executable, "-c", SINK.replace("PORT", str(sink))])
                command += ["--sink", f"http://127.0.0.1:{sink}/"]
            try:
                with running(command, port, Path(temporary) / "log") as pid:
                    few = {rows: requests if rows < 100 else requests // 4 for rows in BATCHES}
                    rest[name] = {
                        rows: measure(pid, partial(load, port, request(rows)), few[rows]) for rows in BATCHES
                    }
                    grpc[name] = {
                        rows: measure(pid, partial(grpc_load, grpc_port, grpc_request(rows)), few[rows])
                        for rows in BATCHES
                    }
            finally:
                if collecting is not None:
                    collecting.kill()
                    collecting.wait()
    print(f"V2 over REST:\n\n{table(rest)}\n\nV2 over gRPC, by the same processes:\n\n{table(grpc)}")
    versions = ("kserve", "onnxruntime", "uvicorn", "grpcio")
    told = ", ".join(f"{name} {metadata.version(name)}" for name in versions)
    print(f"\nPython {platform.python_version()}, {os.cpu_count()} CPUs, {told}; model {digest[:12]}")


def table(results: Results) -> str:
    stock = results["KServe ModelServer"]
    lines = [
        "| server | " + " | ".join(f"CPU µs, batch {rows} | requests/s | ratio" for rows in BATCHES) + " |",
        "|---|" + "---|" * (3 * len(BATCHES)),
    ]
    for name, measured in results.items():
        cells = [
            f"{cpu:,.0f} | {rate:,.0f} | {stock[rows][0] / cpu:.1f}x"
            for rows, (cpu, rate) in measured.items()
        ]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
