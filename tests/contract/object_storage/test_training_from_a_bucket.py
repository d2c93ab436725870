"""Training reads rows from a bucket, and learns to the bit what it learns from a folder: whole, killed, in workers."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.contract.object_storage.conftest import Lake
from tests.contract.ray.started import Started
from tests.contract.s3_server import S3Server

pytestmark = pytest.mark.xdist_group("bucket")

BUCKET, READER = "LEARNER_TABLES", "LEARNER_READER"
LEARNER = Path(__file__).parent.parent / "ray" / "learner.py"
WAITING = "while self.calls == 14 and not os.path.exists({gate!r}): time.sleep(0.05)"
"""In the second of the epochs that a process goes through, until there is a file."""


@dataclass
class Begin:
    """Starts learners in one folder."""

    root: Path
    monkeypatch: pytest.MonkeyPatch
    started: list[Started] = field(default_factory=list)

    def __call__(
        self, name: str, workers: int, tables: str = "", line: str = "pass", reader: str = "own"
    ) -> Started:
        self.monkeypatch.setenv(BUCKET, tables)
        self.monkeypatch.setenv(READER, reader)
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
    assert first.left() == []
    gate.touch()
    second = begin("killed", 1, f"{lake.address}/killed", line)
    assert learned(second) == folder
    assert any("goes on" in said for said in second.lines), second.lines
    assert [one.name for one in begin.root.glob("tables*")] == ["tables-folder"], (
        "a bucket's rows lie there alone"
    )


def test_workers_of_ray_read_there_too_or_have_ray_data_read_for_them(lake: Lake, begin: Begin) -> None:
    folder = learned(begin("folder", 2))
    for reader in ("own", "ray-data"):
        lake.proxy.told()
        assert learned(begin(reader, 2, f"{lake.address}/{reader}", reader=reader)) == folder
        assert lake.proxy.told()["served"] > 2 * 2**20, "the rows were fetched for each worker"

    gate = begin.root / "gate"
    killed = "killed", 2, f"{lake.address}/killed", WAITING.format(gate=str(gate))
    first = begin(*killed)
    first.until("epoch 1 of 4")
    first.kill()
    first.process.wait()
    assert first.left() == []
    gate.touch()
    second = begin(*killed, reader="ray-data")
    assert learned(second) == folder
    assert any("goes on from its checkpoint: epoch 2, batch" in said for said in second.lines), second.lines
    said = [line for one in begin.started for line in one.lines if "worker " in line]
    assert said == [], "Ray Data keeps its warnings and progress to itself"


def test_an_object_that_is_gone_is_the_same_sentence_where_ray_data_reads(
    lake: Lake, begin: Begin, s3_server: S3Server
) -> None:
    from pyarrow import fs

    gate = begin.root / "gate"
    one = begin("gone", 2, lake.address, WAITING.format(gate=str(gate)), "ray-data")
    one.until("epoch 1 of 4")
    store = fs.S3FileSystem(endpoint_override=f"127.0.0.1:{s3_server.port}", scheme="http")
    for file in lake.tables.files("small", 0):
        store.delete_file(file.removeprefix("s3://"))
    gate.touch()
    assert one.ended() == 2, one.lines
    sentence, remedy = one.lines[-2:]
    assert sentence.startswith("InputRefused: part-")
    assert sentence.endswith(".parquet of the table is gone: the version that named it has been vacuumed")
    assert remedy == "  remedy: run again, so that the newest version is read"
