"""register: the model folder as a version; `candidate` if its gates let it through, refused if not."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from trimtab.ports.registry import ModelVersion, Registry
from trimtab.steps.model_folder import ModelFolder

CANDIDATE: Final = "candidate"
REFUSED: Final = "trimtab.refused"
REJECTED: Final = "trimtab.rejected."


@dataclass(frozen=True, slots=True)
class Registered:
    """What register did.

    Attributes:
        candidate: the version now holds the alias.
        because: why not, where it does not.
    """

    version: ModelVersion
    candidate: bool
    because: str = ""


def register(
    registry: Registry,
    name: str,
    folder: ModelFolder,
    refused: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Registered:
    """Register a model folder. Registering the same folder again changes nothing but the alias.

    A version that a rollout rejected stays out: its digest never gets the alias again.

    Args:
        name: the registered model.
        refused: why the gates refused it; None if they did not.
        tags: beside the folder's own lineage.

    Raises:
        SurroundingsFailed: the registry cannot be reached.
    """
    lineage = {key: str(value) for key, value in folder.metadata.items() if key.startswith("trimtab.")}
    metrics = {
        f"trimtab.metric.{key}": f"{value:.6g}" for key, value in folder.metadata.get("metrics", {}).items()
    }
    told = {REFUSED: refused} if refused else {}
    held = registry.register(
        name, str(folder.path), folder.digest, {**lineage, **metrics, **told, **(tags or {})}
    )
    for key, because in held.tags.items():
        if key.startswith(REJECTED):
            return Registered(held, False, f"rejected by rollout {key.removeprefix(REJECTED)}: {because}")
    if refused:
        if held.tags.get(REFUSED) != refused:
            registry.tag(name, held.version, REFUSED, refused)
        return Registered(held, False, refused)
    registry.untag(name, held.version, REFUSED)
    registry.set_alias(name, CANDIDATE, held.version)
    return Registered(held, True)
