"""A model version down to its sources: version, run, project files, libraries, features, tables, source versions."""

from trimtab.adapters.projects.home import Home
from trimtab.api.provenance import DataVersion, Provenance
from trimtab.local.lineage.node import Node
from trimtab.local.runs import recorded
from trimtab.ports.registry import ModelVersion


def model_node(version: ModelVersion, made: Provenance | None, home: Home) -> Node:
    """
    Args:
        made: what made it; None for a model from elsewhere.
    """
    name, tags = f"{version.name}/{version.version}", version.tags
    facts = {
        "digest": version.digest,
        "learnedFrom": tags.get("trimtab.learned.from", ""),
        "learnedTo": tags.get("trimtab.learned.to", ""),
        "rows": tags.get("trimtab.rows", ""),
        "because": tags.get("trimtab.because", ""),
    }
    if made is None:
        return Node("model", name, {**facts, "madeElsewhere": True})
    return Node("model", name, facts, (run_node(made, home), features_node(made)))


def run_node(made: Provenance, home: Home) -> Node:
    """The run that fitted a model, and what it ran on."""
    pipeline = [one.id for one in recorded(home) if made.run and one.output("run") == made.run]
    machine, libraries, switches = made.hardware, made.libraries, made.determinism
    facts = {
        "pipelineRun": pipeline[0] if pipeline else "",
        "at": made.recorded_at,
        "until": made.until,
        "window": made.window,
        "seed": switches.seed,
        "refitted": made.refitted,
        "switches": {**switches.variables, **switches.torch},
        "threads": dict(switches.threads),
        "chosen": made.chosen.model_dump(mode="json") if made.chosen else None,
    }
    kept = {"digest": libraries.digest, "python": libraries.python, "trimtab": libraries.trimtab}
    lock = {"lockFile": made.lock.file, "lockFileDigest": made.lock.digest}
    below = [
        Node("bundle", made.bundle.name, {"digest": made.bundle.digest, "files": made.bundle.files}),
        Node("code", made.code.commit or "no checkout", {"changed": made.code.changed or None}),
        Node("libraries", f"{len(libraries.packages)} packages", {**kept, "image": made.image, **lock}),
        Node(
            "hardware",
            machine.cpu,
            {
                "architecture": machine.architecture,
                "cores": machine.cores,
                "memoryBytes": machine.memory_bytes,
                "accelerators": list(machine.accelerators),
                "devices": list(machine.devices),
                "workers": machine.workers,
            },
        ),
    ]
    return Node("run", made.run or "untracked", facts, tuple(below))


def features_node(made: Provenance) -> Node:
    """The features table, down to the sources."""
    return version_node(made.features, made)


def version_node(held: DataVersion, made: Provenance) -> Node:
    """One table version, and those that it was made of."""
    kind = "source" if held.step == "ingest" else "table"
    facts = {"rows": held.rows, "digest": held.digest, "files": list(held.files)}
    return Node(
        kind, held.key, facts, tuple(version_node(made.version(key), made) for key in _direct(held, made))
    )


def _direct(held: DataVersion, made: Provenance) -> list[str]:
    """What a version was made of. The features name every table; those that others were made of stand there alone."""
    keys = list(dict.fromkeys(held.reads.values()))
    indirect = {below for key in keys for below in _below(key, made)}
    return [key for key in keys if key not in indirect]


def _below(key: str, made: Provenance) -> set[str]:
    reads = set(made.version(key).reads.values())
    return reads | {below for one in reads for below in _below(one, made)}
