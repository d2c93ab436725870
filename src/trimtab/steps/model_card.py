"""The model card of a registered version, as Markdown for a pipeline's UI."""

from typing import Final

from trimtab.ports.claims import Effect
from trimtab.steps.model_folder import ModelFolder

FACTS: Final = {
    "trimtab.model": "model",
    "trimtab.rows": "rows that it learned from",
    "trimtab.learned.from": "first of them",
    "trimtab.learned.to": "last of them",
    "trimtab.bundle": "project",
    "trimtab.commit": "commit",
    "trimtab.lock.file": "lock file",
    "trimtab.lock.file.digest": "its digest",
    "trimtab.run": "tracking run",
    "trimtab.seed": "seed",
}
"""What the folder's metadata says of where the model comes from, in the order of the card."""


def markdown(name: str, done: Effect, folder: ModelFolder, until: str) -> str:
    """The card; what is not known is left out."""
    verdict = "candidate" if done.candidate else "no candidate"
    facts = [("data until", until), ("digest", f"`{folder.digest[:16]}`")]
    facts += [(said, str(folder.metadata[key])) for key, said in FACTS.items() if folder.metadata.get(key)]
    metrics = [(key, f"{value:.4f}") for key, value in folder.metadata.get("metrics", {}).items()]
    parts = [f"# {name}, version {done.version}: {verdict}", done.because, _table("", facts)]
    if metrics:
        parts += ["## On rows that it had not seen", _table("metric", metrics)]
    return "\n\n".join(parts) + "\n"


def _table(head: str, rows: list[tuple[str, str]]) -> str:
    return "\n".join([f"| {head} | |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows)])
