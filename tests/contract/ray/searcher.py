"""A search in processes of Ray, in a process of its own: python searcher.py ROOT TRIALS [WHERE]
TRIALS is a number, or a budget such as 20s, by which a trial is late 5 s later.

Says on standard output what the search says, and at the end what was tried, as JSON. While there is ROOT/hold, no
drawn trial ends; none begins to fit before another process is at one too. The rate 5 kills its process.
"""

import json
import math
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "search"))

from search_world import World, some_rows

from trimtab.adapters.clock import WallClock
from trimtab.adapters.kuberay import KubeRayTrials, RayPods
from trimtab.adapters.ray import RayTrials
from trimtab.steps.search import sitting

MODEL = """
import os
import signal
import socket
import time
from pathlib import Path
from sklearn.linear_model import LogisticRegression

ROOT = Path({root!r})

def build(schema, rate=None):
    if rate is not None:
        (ROOT / f"at-{{os.getpid()}}-{{socket.gethostname()}}").touch()
        print("draws", rate)
        while len(list(ROOT.glob("at-*"))) < 2 or (ROOT / "hold").exists():
            time.sleep(0.02)
    if rate == 5.0:
        os.kill(os.getpid(), signal.SIGKILL)
    return LogisticRegression(C=rate or 0.001)
"""
SPACE = {"rate": {"choices": [1e-9, 1e-8, 1e-7, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]}}


class SinceAtWork(WallClock):
    """Stands still until a drawn trial is at work: what comes before takes a busy machine long."""

    def __init__(self, root: Path) -> None:
        self._root, self._since_s = root, math.inf

    def monotonic_s(self) -> float:
        now_s = time.monotonic()
        if self._since_s == math.inf and any(self._root.glob("at-*")):
            self._since_s = now_s
        return max(0.0, now_s - self._since_s)


def main(root: Path, trials: str, where: str = "here") -> None:
    (root / "model.py").write_text(MODEL.format(root=str(root)))
    until = {"trials": int(trials)} if trials.isdigit() else {"budget": trials}
    sitting.LATE_S = 5.0
    search = {**until, "atOnce": 2, "pruner": "asha", "sampler": "random", "space": SPACE}
    world = World(root, some_rows())
    here = RayTrials(root / "tmp", 2, 1, "cpu")
    pods = KubeRayTrials(RayPods(root / "tmp", begin_s=240.0), 2, 1, "cpu")
    clock = None if trials.isdigit() else SinceAtWork(root)
    found = world.search(
        search, model="model.py", say=said, clock=clock, trials=pods if where == "kuberay" else here
    )
    said(json.dumps([(one.number, one.state, one.value, len(one.folds), one.because) for one in found.tried]))


def said(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
