"""Training reads rows from a bucket, and learns to the bit what it learns from a folder: whole, killed, in workers."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.contract.object_storage.conftest import Lake
from tests.contract.ray.started import Started

pytestmark = pytest.mark.xdist_group("bucket")

BUCKET = "LEARNER_TABLES"
LEARNER = Path(__file__).parent.parent / "ray" / "learner.py"
WAITING = "while self.calls == 14 and not os.path.exists({gate!r}): time.sleep(0.05)"
"""In the second of the epochs that a process goes through, until there is a file."""


@dataclass
class Begin:
    """Starts learners in one folder."""

    root: Path
    monkeypatch: pytest.MonkeyPatch
    started: list[Started] = field(default_factory=list)

    def __call__(self, name: str, workers: int, tables: str = "", line: str = "pass") -> Started:
        self.monkeypatch.setenv(BUCKET, tables)
        errors = self.root / f"{name}-{len(self.started)}.err"
        self.started.append(Started.of(LEARNER, str(self.root), name, str(workers), line, errors=errors))
        return self.started[-1]


@pytest.fixture
def begin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Begin]:
    made = Begin(tmp_path, monkeypatch)
    yield made
    for one in made.started:
        one.kill()


def learned(one: Started) -> str:
    assert one.ended() == 0, one.lines
    return one.lines[-1]


def test_killed_in_mid_epoch_it_ends_with_the_bits_that_a_folder_gives(lake: Lake, begin: Begin) -> None:
    folder = learned(begin("folder", 1))
    whole = f"{lake.address}/whole"
    lake.proxy.harm(None, None, None, 503)
    assert learned(begin("whole", 1, whole)) == folder
    assert lake.proxy.told()["harmed"] > 5

    gate = begin.root / "gate"
    line = WAITING.format(gate=str(gate))
    first = begin("killed", 1, f"{lake.address}/killed", line)
    first.until("epoch 1 of 4")
    first.kill()
    first.process.wait()
    gate.touch()
    second = begin("killed", 1, f"{lake.address}/killed", line)
    assert learned(second) == folder
    assert any("goes on" in said for said in second.lines), second.lines
    assert [one.name for one in begin.root.glob("tables*")] == ["tables-folder"], (
        "a bucket's rows lie there alone"
    )


def test_workers_of_ray_read_there_too(lake: Lake, begin: Begin) -> None:
    lake.proxy.told()
    folder, bucket = begin("folder", 2), begin("bucket", 2, lake.address)
    assert learned(bucket) == learned(folder)
    assert lake.proxy.told()["served"] > 2 * 2**20, "each worker fetched the rows for itself"
