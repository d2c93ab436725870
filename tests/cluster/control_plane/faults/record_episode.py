"""Writes flights_episode.json anew from what a demo left behind.

    trimtab demo --dir DEMO && python -m tests.cluster.control_plane.faults.record_episode DEMO/flights/.trimtab

What is recorded: what the collector answered about the first revision until the second was stable, what the registry
says of the models, the profiles without their columns (which no question about performance needs), and how the one
machine's loop decided, for comparison.
"""

import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

from trimtab.adapters.collector import Collector
from trimtab.ports.evidence import BlockCut

RECORDING = Path(__file__).with_name("flights_episode.json")
WHOLE_NUMBERS = 9
"""Digits after the point that are kept."""


def recorded(state: Path) -> dict[str, Any]:
    with sqlite3.connect(f"file:{state / 'state.db'}?mode=ro", uri=True) as held:
        statuses = {kind: json.loads(body) for kind, body in held.execute("select kind, body from status")}
        alarm = held.execute("select because from events where kind = 'PerformanceDropped'").fetchone()[0]
    (episode,) = statuses["DriftMonitor"]["episodes"]
    promotions = [one for one in statuses["ModelRollout"]["history"] if one["kind"] == "Promoted"]
    since, until = (moment(one["at"]) for one in promotions[:2])
    revisions = [one["revision"] for one in promotions[:2]]
    armings = [
        {
            "arming": one["arming"],
            "claimedAt": one["claimedAt"],
            "outcome": one["outcome"],
            "version": one["version"],
            "labelled": one["labelled"],
            "because": one["because"],
        }
        for one in statuses["RetrainPolicy"]["history"]
    ]
    versions = ["1", next(one["version"] for one in armings if one["outcome"] == "Promoted")]
    models = {
        version: {"revision": revision, "digest": digest, "profile": profile_of(state, digest)}
        for version, revision in zip(versions, revisions, strict=True)
        if (digest := digest_of(state, version))
    }
    return {
        "since": promotions[0]["at"],
        "alarm": {"id": episode["id"], "openedAt": episode["openedAt"], "because": alarm},
        "armings": armings,
        "promotedAt": promotions[1]["at"],
        "models": models,
        "scored": scored(state, revisions[0], since, until, models["1"]["profile"]["time_zone"]),
    }


def scored(state: Path, revision: str, since: datetime, until: datetime, zone: str) -> list[dict[str, Any]]:
    """Every mature block of the revision, as the collector answers over its own log."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(state / "collector", folder, dirs_exist_ok=True)
        argv = [sys.executable, "-m", "trimtab.bootstrap.collector", "--dir", folder, "--http-port", "0"]
        process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
        assert process.stderr is not None
        try:
            address = process.stderr.readline().strip().rsplit(" ", 1)[1]
            answered = Collector(address).scored(revision, since, until, BlockCut(zone=zone), until)
        finally:
            process.terminate()
            process.wait()
            process.stderr.close()
    return [
        {
            key: round(value, WHOLE_NUMBERS) if isinstance(value, float) else value
            for key, value in told.items()
        }
        for block in answered
        if (told := {**asdict(block), "start": block.start.isoformat()})
    ]


def digest_of(state: Path, version: str) -> str:
    with sqlite3.connect(f"file:{state / 'mlflow' / 'mlflow.db'}?mode=ro", uri=True) as registry:
        asked = "select value from model_version_tags where version = ? and key = 'trimtab.digest'"
        return str(registry.execute(asked, (version,)).fetchone()[0])


def profile_of(state: Path, digest: str) -> dict[str, Any]:
    whole = json.loads((state / "models" / digest[:16] / "profile.json").read_text())
    return {**whole, "columns": {}}


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


if __name__ == "__main__":
    RECORDING.write_text(json.dumps(recorded(Path(sys.argv[1])), indent=1) + "\n")
