"""What an explanation costs: `:explain`'s own sampling beside the SHAP library, of one ONNX file.

    python benchmarks/explaining.py [--quick]     # about two minutes

Gradient boosting learned the flights of June, with the example's features; flights of July are explained, from the
same sixteen background rows on both sides. Both walk each order forwards and backwards. SHAP asks each step of a walk
of all background rows, trimtab of one, in turn; so both are shown at equal walks and at about equal rows asked. Errors
are from SHAP's own values by 200 walks. SHAP is given texts by number, since it knows none. Times are CPU time of a
call, medians, one thread, in turn.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.metadata import distribution, requires
from statistics import median
from typing import Any

import numpy as np
from beside import table, versions
from flights_world import World, day_number
from packaging.requirements import Requirement
from run import machine

from trimtab.features.columns import take
from trimtab.features.schema import Field
from trimtab.quality.shapley import explain
from trimtab.steps.background import background_of
from trimtab.steps.fitting.contract import ModelSource, built, fitted
from trimtab.steps.fitting.families import FAMILIES
from trimtab.steps.fitting.graph import exported
from trimtab.steps.fitting.preprocessing import fit_preprocessing
from trimtab.steps.scoring import inputs, session

WALKS = 32
SERVED = ("kserve", "onnxruntime", "scipy", "pyarrow")
"""What a model's server needs anyway."""


class Counted:
    """A model that counts the rows that it is asked."""

    def __init__(self, ask: Callable[[Any], np.ndarray]) -> None:
        self._ask, self.rows = ask, 0

    def __call__(self, columns: dict[str, np.ndarray]) -> np.ndarray:
        self.rows += len(next(iter(columns.values())))
        return self._ask(columns)


def size_mb(names: set[str]) -> float:
    """Of the files of these distributions."""
    files = (file for name in names for file in distribution(name).files or ())
    return sum(path.stat().st_size for file in files if (path := file.locate()).is_file()) / 1e6


def needed(*names: str) -> set[str]:
    """These distributions and all that they require."""
    found: set[str] = set()
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            wanted = [Requirement(text) for text in requires(name) or []]
            waiting += [
                one.name for one in wanted if one.marker is None or one.marker.evaluate({"extra": ""})
            ]
    return found


def import_s(module: str) -> float:
    code = f"import time; t = time.process_time(); import {module}; print(time.process_time() - t)"
    taken = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        for _ in range(3)
    ]
    return median(float(one.stdout) for one in taken)


def main() -> None:
    import shap

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    explained = 3 if parser.parse_args().quick else 12
    world = World.read()
    taught = world.known & (world.days >= day_number("2013-06-01")) & (world.days < day_number("2013-06-28"))
    asked = np.flatnonzero(world.times.astype("datetime64[M]") == np.datetime64("2013-07"))
    fields = tuple(Field(n, "string" if v.dtype == object else "number") for n, v in world.features.items())
    learned = take(world.features, taught)
    steps = fit_preprocessing(fields, learned, world.labels[taught], "binary")
    source = ModelSource(FAMILIES["gradient_boosting"], "gradient_boosting", "", {})
    trees = built(source, steps.schema("binary", ("False", "True")), 7, world.project.training)
    fitted(source.name, trees, steps.matrix(learned), world.labels[taught], None)
    served = session(exported(steps, trees, fields, "binary", source.name))
    ask = Counted(lambda columns: served.run(None, inputs(fields, columns))[0][:, -1].astype(np.float64))
    start = background_of(ask, learned, np.arange(int(taught.sum())))
    names, held = list(start), len(next(iter(start.values())))
    rows = [
        take(world.features, asked[i : i + 1]) for i in np.linspace(0, len(asked) - 1, explained).astype(int)
    ]

    texts = {
        field.name: np.unique(np.concatenate([start[field.name], *(row[field.name] for row in rows)]))
        for field in fields
        if field.type == "string"
    }

    def matrix(columns: dict[str, np.ndarray]) -> np.ndarray:
        """As SHAP takes it: texts by number."""
        coded = [np.searchsorted(texts[n], columns[n]) if n in texts else columns[n] for n in names]
        return np.stack(coded, axis=1).astype(np.float64)

    def ask_matrix(x: np.ndarray) -> np.ndarray:
        columns = dict(zip(names, x.T, strict=True))
        return ask({n: texts[n][v.astype(int)] if n in texts else v for n, v in columns.items()})

    masker = shap.maskers.Independent(matrix(start), max_samples=held)

    def ours(walks: int) -> Callable[[dict[str, np.ndarray], int], np.ndarray]:
        return lambda row, seed: np.array(list(explain(ask, row, start, walks, seed).attributions.values()))

    def theirs(pairs: int) -> Callable[[dict[str, np.ndarray], int], np.ndarray]:
        def told(row: dict[str, np.ndarray], seed: int) -> np.ndarray:
            explainer = shap.PermutationExplainer(ask_matrix, masker, seed=seed)
            most = pairs * (2 * len(names) + 1)
            return np.asarray(explainer(matrix(row), max_evals=most, silent=True).values[0])

        return told

    ways = {
        f"trimtab, {WALKS} walks (as served)": ours(WALKS),
        f"SHAP's PermutationExplainer, {WALKS} walks": theirs(WALKS // 2),
        "the same, 2 walks": theirs(1),
        "trimtab, 512 walks": ours(512),
    }
    exact = np.stack([theirs(100)(row, 99) for row in rows])
    taken: dict[str, list[float]] = {name: [] for name in ways}
    counted, off = dict.fromkeys(ways, 0), dict.fromkeys(ways, 0.0)
    for name, way in ways.items():
        way(rows[0], 0)
        ask.rows = 0
        way(rows[0], 0)
        counted[name] = ask.rows
    for i, row in enumerate(rows):
        for name, way in ways.items():
            began = time.process_time()
            values = way(row, i)
            taken[name].append((time.process_time() - began) * 1e3)
            off[name] += float(((values - exact[i]) ** 2).mean()) / len(rows)
    cells = [
        [name, f"{counted[name]:,}", f"{median(taken[name]):.1f}", f"{off[name] ** 0.5:.5f}"] for name in ways
    ]
    print(table(["way", "model rows asked", "ms an explanation", "root mean square error"], cells))
    print(
        f"\n{len(names)} features, {explained} rows explained; mean size of a value {np.abs(exact).mean():.4f}.\n"
    )
    more = {one.lower() for one in needed("shap")} - {one.lower() for one in needed(*SERVED)}
    largest = ", ".join(
        f"{name} {size_mb({name}):.0f}" for name in sorted(more, key=lambda one: -size_mb({one}))[:5]
    )
    times = f"{import_s('shap'):.1f} s of CPU; trimtab.quality.shapley's {import_s('trimtab.quality.shapley'):.1f} s"
    print(
        f"SHAP brings {size_mb(more):.0f} MB to a server that has {' and '.join(SERVED[:2])} ({largest}), and its "
        f"import takes {times}.\n"
    )
    print(f"{versions('shap', 'numba', 'onnxruntime', 'numpy')}\n{machine()}")


if __name__ == "__main__":
    main()
