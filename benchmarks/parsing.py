"""Row 5: a V2 request of 25 FP64 inputs from bytes to checked values, beside JSON parsers that check nothing.

python benchmarks/parsing.py [--quick]
"""

import argparse
import hashlib
import json

import msgspec
import numpy as np
import orjson
from beside import seconds, table, times_over, versions

from trimtab.serving.wire import parse_v2

INPUTS = 25
BATCHES = (1, 100)


def request(rows: int) -> bytes:
    draw = np.random.default_rng(rows)
    inputs = [
        {"name": f"x{j}", "shape": [rows, 1], "datatype": "FP64", "data": draw.normal(size=rows).tolist()}
        for j in range(INPUTS)
    ]
    return json.dumps({"inputs": inputs}).encode()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    rounds = 3 if parser.parse_args().quick else 9
    bodies = {rows: request(rows) for rows in BATCHES}
    decoder = msgspec.json.Decoder()
    parsers = {
        "json": json.loads,
        "orjson": orjson.loads,
        "msgspec": decoder.decode,
        "trimtab, checked": parse_v2,
    }
    cost = {
        name: {
            rows: seconds(lambda parse=parse, rows=rows: parse(bodies[rows]), rounds) * 1e6
            for rows in BATCHES
        }
        for name, parse in parsers.items()
    }
    ours = cost["trimtab, checked"]
    rows = [
        [name, *(cell for b in BATCHES for cell in (f"{at[b]:.1f}", times_over(at[b], ours[b])))]
        for name, at in cost.items()
    ]
    heads = ["parser", *(h for b in BATCHES for h in (f"µs, batch {b}", "over ours"))]
    print(table(heads, rows))
    print("\nTarget: json at least 5x, orjson at least 2x at batch 100.\n")
    digest = hashlib.sha256(b"".join(bodies.values())).hexdigest()[:12]
    print(f"{versions('orjson', 'msgspec')}; requests {digest}")


if __name__ == "__main__":
    main()
