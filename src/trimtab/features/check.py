"""`trimtab check` of a features.py, in a fresh process: what it finds does not depend on what is loaded here.

python -m trimtab.features.check FEATURES.py ROWS.npz      prints findings as JSON
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from trimtab.api.errors import InputRefused
from trimtab.features.columns import Array, Columns, take
from trimtab.features.definition import load_features
from trimtab.features.imports import forbidden_imports
from trimtab.features.purity import impurities

ROWS = 1_000
TIMEOUT_S = 120.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong with a features.py.

    Attributes:
        line: line of the file, 0 when it concerns no single one.
    """

    message: str
    line: int = 0
    remedy: str = ""


def check_features(path: Path, inputs: Columns, timeout_s: float = TIMEOUT_S) -> list[Finding]:
    """All findings on a features.py.

    Args:
        inputs: example rows, REQUEST ∪ VIEWS; the first 1,000 are used.
        timeout_s: a transform that takes longer is a finding.
    """
    with tempfile.TemporaryDirectory() as folder:
        rows = Path(folder) / "rows.npz"
        np.savez(rows, **{name: _stored(values) for name, values in take(inputs, slice(0, ROWS)).items()})  # type: ignore[arg-type]  # numpy's stub takes the keyword allow_pickle for one of them
        command = [sys.executable, "-P", "-m", "trimtab.features.check", str(path), str(rows)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=False)
        except subprocess.TimeoutExpired:
            return [
                Finding(
                    f"transform took more than {timeout_s:g} s on {ROWS} rows",
                    remedy="look for a loop over rows",
                )
            ]
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no word"])[-1]
        return [Finding(f"the file ended the process with status {done.returncode}: {last}")]
    return [Finding(**finding) for finding in json.loads(done.stdout.splitlines()[-1])]


def findings(path: Path, inputs: Mapping[str, Array]) -> list[Finding]:
    """The same, in this process."""
    try:
        found = [
            Finding(
                f"imports {item.module}, which the model server does not have",
                item.line,
                "use the standard library, numpy and trimtab.features",
            )
            for item in forbidden_imports(path.read_text())
        ]
    except (OSError, SyntaxError) as error:
        return [Finding(f"cannot be read: {error}", getattr(error, "lineno", 0) or 0)]
    try:
        found += [
            Finding(message, remedy="make row i of the answer depend on row i of `rows` alone")
            for message in impurities(load_features(path), inputs)
        ]
    except InputRefused as refused:
        found.append(Finding(refused.message, remedy=refused.remedy or ""))
    return found


def _stored(values: Array) -> Array:
    return values.astype(str) if values.dtype == object else values


def _loaded(values: Array) -> Array:
    return values.astype(object) if values.dtype.kind == "U" else values


if __name__ == "__main__":
    with np.load(sys.argv[2]) as stored:
        sample = {name: _loaded(stored[name]) for name in stored.files}
    sys.stdout.write(
        "\n" + json.dumps([asdict(finding) for finding in findings(Path(sys.argv[1]), sample)]) + "\n"
    )
