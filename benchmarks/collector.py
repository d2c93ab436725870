"""Row 4: CPU an event costs the payload sink: ours to its log and sketches, the others only to a parsed 202.

One CloudEvent a post over 4 kept-alive connections, 25 features, 1 or 100 rows. The peers parse the JSON and
answer; ours also checks it, appends it to a log that is flushed every second, counts requests and latencies,
keeps predictions by example and feeds 25 sketches, which are asked for before the clock stops. `batched` is
ours again with 100 events a post, as our own server sends them. CPU is the process's user and system time,
read from /proc. At the end: a kill -9, and what a restart costs.

    python benchmarks/collector.py [--requests 6000] [--keep 100000]
"""

import argparse
import json
import os
import platform
import random
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from importlib import metadata
from pathlib import Path

NUMBERS = [f"x{number}" for number in range(20)]
TEXTS = [f"c{number}" for number in range(5)]
START = datetime(2013, 4, 1, tzinfo=UTC)
TICKS = os.sysconf("SC_CLK_TCK")
CONNECTIONS = 4

PEERS = {
    "FastAPI": """
from fastapi import Body, FastAPI, Response
import uvicorn
app = FastAPI()

@app.post("/", status_code=202)
async def take(event: dict = Body()):
    return Response(status_code=202)

uvicorn.run(app, port=PORT, log_level="warning", access_log=False, loop="uvloop", http="httptools")
""",
    "Starlette": """
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route
import uvicorn

async def take(request):
    await request.json()
    return Response(status_code=202)

app = Starlette(routes=[Route("/", take, methods=["POST"])])
uvicorn.run(app, port=PORT, log_level="warning", access_log=False, loop="uvloop", http="httptools")
""",
    "aiohttp": """
from aiohttp import web
import uvloop
uvloop.install()

async def take(request):
    await request.json()
    return web.Response(status=202)

app = web.Application(client_max_size=1 << 25)
app.router.add_post("/", take)
web.run_app(app, host="127.0.0.1", port=PORT, access_log=None, print=None)
""",
}


def event(number: int, rows: int) -> dict[str, object]:
    draw = random.Random(number)
    time_us = 1_364_774_400_000_000 + number * 30_000_000
    numbers = {name: [round(draw.gauss(0, 1), 4) for _ in range(rows)] for name in NUMBERS}
    texts = {name: [draw.choice(("UA", "AA", "B6", "DL")) for _ in range(rows)] for name in TEXTS}
    return {
        "specversion": "1.0",
        "type": "dev.trimtab.inference",
        "id": f"{number:032x}",
        "source": "aaaaaaaa/17",
        "time": (START + timedelta(seconds=30 * number)).isoformat(),
        "inferenceservicename": "bench-aaaaaaaa",
        "revision": "aaaaaaaa",
        "status": 200,
        "durationms": 2.5,
        "rows": rows,
        "data": {
            "ids": [f"UA-{number}-EWR-{row}" for row in range(rows)],
            "times": [time_us] * rows,
            "features": numbers | texts,
            "predictions": [round(draw.random(), 6) for _ in range(rows)],
        },
    }


def profile() -> bytes:
    from trimtab.drift.profile import ColumnProfile, LabelRule, Profile
    from trimtab.sketch import Grid, empty

    grids = [Grid(name, "number", scale=1.0, bits=16) for name in NUMBERS]
    grids += [Grid(name, "category") for name in TEXTS]
    columns = {grid.column: ColumnProfile(empty(grid), group) for group, grid in enumerate(grids)}
    return Profile(columns, rows=0, label=LabelRule("y", "known_at", 86_400)).to_bytes()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


@contextmanager
def running(command: Sequence[str], port: int) -> Iterator[subprocess.Popen[bytes]]:
    """A server that listens on the port; killed at the end."""
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        wait_for(process, port)
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + 90
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                sys.exit(f"the server on {port} did not start")
            time.sleep(0.02)


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def memory_mb(pid: int) -> float:
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if "VmRSS" in line)
    return int(line.split()[1]) / 1024


def post(body: bytes, content_type: str) -> bytes:
    head = f"POST / HTTP/1.1\r\nhost: bench\r\ncontent-type: {content_type}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body


def single(number: int, rows: int, content_type: str) -> bytes:
    return post(json.dumps(event(number, rows)).encode(), content_type)


def batched(first: int, count: int, rows: int) -> bytes:
    events = [event(number, rows) for number in range(first, first + count)]
    return post(json.dumps(events).encode(), "application/cloudevents-batch+json")


def send(port: int, posts: Sequence[bytes]) -> None:
    """All posts, each connection's next one after the answer to its last."""
    lanes = [socket.create_connection(("127.0.0.1", port)) for _ in range(CONNECTIONS)]
    for lane in lanes:
        lane.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for first in range(0, len(posts), CONNECTIONS):
        busy = list(zip(lanes, posts[first : first + CONNECTIONS], strict=False))
        for lane, one in busy:
            lane.sendall(one)
        for lane, _ in busy:
            answer = lane.recv(65_536)
            if b" 202 " not in answer[:16]:
                sys.exit(f"refused: {answer!r}")
    for lane in lanes:
        lane.close()


def measured(
    port: int, pid: int, warm: Sequence[bytes], posts: Sequence[bytes], last: Callable[[], object]
) -> float:
    """CPU seconds that the posts cost the process, `last` included."""
    send(port, warm)
    before = cpu_s(pid)
    send(port, posts)
    last()
    return cpu_s(pid) - before


def peer(name: str, rows: int, count: int) -> float:
    port = free_port()
    source = PEERS[name].replace("PORT", str(port))
    with running([sys.executable, "-c", source], port) as process:
        posts = [single(number, rows, "application/json") for number in range(count + 50)]
        return measured(port, process.pid, posts[:50], posts[50:], lambda: None) / count * 1e6


def command(folder: Path, port: int) -> list[str]:
    start = [
        sys.executable,
        "-m",
        "trimtab.bootstrap.collector",
        "--dir",
        str(folder),
        "--http-port",
        str(port),
    ]
    return [*start, "--keep-days", "4000"]


def ours(rows: int, count: int, a_post: int) -> float:
    from trimtab.adapters.collector import Collector

    port = free_port()
    with tempfile.TemporaryDirectory() as folder, running(command(Path(folder), port), port) as process:
        collector = Collector(f"http://127.0.0.1:{port}")
        collector.observe("aaaaaaaa", profile())
        if a_post == 1:
            posts = [single(number, rows, "application/cloudevents+json") for number in range(count + 50)]
            warm, posts = posts[:50], posts[50:]
        else:
            firsts = range(0, count + a_post, a_post)
            posts = [batched(first, a_post, rows) for first in firsts]
            warm, posts = posts[:1], posts[1:]
        end = START + timedelta(days=400)
        spent = measured(port, process.pid, warm, posts, lambda: collector.sketches("aaaaaaaa", START, end))
        held = sum(collector.received().values())
        return spent / (held - (50 if a_post == 1 else a_post)) * 1e6


def kept(count: int) -> str:
    """What holding `count` events of 4 rows costs, and a restart after kill -9."""
    from trimtab.adapters.collector import Collector

    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        with running(command(Path(folder), port), port) as process:
            collector = Collector(f"http://127.0.0.1:{port}")
            collector.observe("aaaaaaaa", profile())
            for first in range(0, count, 2_000):
                send(port, [batched(first + part, 100, 4) for part in range(0, 2_000, 100)])
            memory = memory_mb(process.pid)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        log_mb = sum(file.stat().st_size for file in Path(folder).glob("*.log")) / 1e6
        begun = time.monotonic()
        with running(command(Path(folder), port), port) as process:
            took = time.monotonic() - begun
            if sum(collector.received().values()) != count:
                sys.exit("events were lost")
            spent = cpu_s(process.pid)
    return (
        f"{count} events of 4 rows held in {memory:.0f} MB, log {log_mb:.0f} MB; "
        f"kill -9, then answering again in {took:.1f} s ({spent:.1f} s of CPU)"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--requests", type=int, default=6_000)
    parser.add_argument("--keep", type=int, default=100_000)
    asked = parser.parse_args()
    versions = {
        name: metadata.version(name) for name in ("fastapi", "starlette", "aiohttp", "uvicorn", "uvloop")
    }
    print("Payload sink: CloudEvent in → logged, counted, sketched; CPU µs an event")
    print(f"Python {platform.python_version()}, {', '.join(f'{n} {v}' for n, v in versions.items())}")
    print(f"\n| sink | 1 row | 100 rows |\n|{'---|' * 3}")
    counts = {1: asked.requests, 100: max(100, asked.requests // 10)}
    costs = {name: {rows: peer(name, rows, count) for rows, count in counts.items()} for name in PEERS}
    costs["trimtab, one event a post"] = {rows: ours(rows, count, 1) for rows, count in counts.items()}
    costs["trimtab, 100 events a post"] = {rows: ours(rows, count, 100) for rows, count in counts.items()}
    for name, cost in costs.items():
        print(f"| {name} | {cost[1]:.0f} | {cost[100]:.0f} |")
    for name in ("trimtab, one event a post", "trimtab, 100 events a post"):
        ratios = {rows: costs["FastAPI"][rows] / costs[name][rows] for rows in counts}
        print(f"\n{name}: {ratios[1]:.1f}x and {ratios[100]:.1f}x FastAPI's parse alone (target 4x)")
    print(f"\n{kept(asked.keep)}")


if __name__ == "__main__":
    main()
