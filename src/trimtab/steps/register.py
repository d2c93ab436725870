"""register: the model folder as a version; `candidate` if its gates let it through, refused if not."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from trimtab.api.errors import AnswerIsNo
from trimtab.ports.claims import Claims, Effect
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
    *,
    uri: str = "",
    may: Callable[[], object] = lambda: None,
) -> Registered:
    """Register a model folder. Registering the same folder again changes nothing but the alias.

    A version that a rollout rejected stays out: its digest never gets the alias again.

    Args:
        name: the registered model.
        refused: why the gates refused it; None if they did not.
        tags: beside the folder's own lineage.
        uri: the folder's address for others; its path where empty.
        may: asked before each change that others see; raises where this run may not.

    Raises:
        SurroundingsFailed: the registry cannot be reached.
    """
    lineage = {key: str(value) for key, value in folder.metadata.items() if key.startswith("trimtab.")}
    metrics = {
        f"trimtab.metric.{key}": f"{value:.6g}" for key, value in folder.metadata.get("metrics", {}).items()
    }
    told = {REFUSED: refused} if refused else {}
    may()
    held = registry.register(
        name, uri or str(folder.path), folder.digest, {**lineage, **metrics, **told, **(tags or {})}
    )
    for key, because in held.tags.items():
        if key.startswith(REJECTED):
            return Registered(held, False, f"rejected by rollout {key.removeprefix(REJECTED)}: {because}")
    if refused:
        if held.tags.get(REFUSED) != refused:
            registry.tag(name, held.version, REFUSED, refused)
        return Registered(held, False, refused)
    may()
    registry.untag(name, held.version, REFUSED)
    registry.set_alias(name, CANDIDATE, held.version)
    return Registered(held, True)


@dataclass(frozen=True, slots=True)
class Holder:
    """A run and the claim that it must hold."""

    claims: Claims
    key: str
    run: str

    def demand(self) -> Effect | None:
        """What this run has registered already.

        Raises:
            AnswerIsNo: another run holds the claim.
        """
        claim = self.claims.take(self.key, self.run)
        if claim.run != self.run:
            raise AnswerIsNo(f"run {claim.run} holds the claim of key {self.key}: this one registers nothing")
        return claim.effect


def register_once(
    holder: Holder,
    registry: Registry,
    name: str,
    folder: ModelFolder,
    until: datetime,
    *,
    passed: bool,
    because: str,
    uri: str = "",
) -> Effect:
    """Register as the one run of a key that takes effect. Repeated after a crash anywhere, it ends the same.

    Once the effect is written down, a repetition moves no alias: by then it may be another key's.

    Args:
        until: end of the run's data.
        because: what the gates said.
        uri: the folder's address for others; its path where empty.

    Raises:
        AnswerIsNo: another run holds the claim.
        SurroundingsFailed: the registry or the claims cannot be reached.
    """
    if (before := holder.demand()) is not None:
        return before
    tags = {"trimtab.until": until.isoformat(), "trimtab.key": holder.key, "trimtab.because": because}
    done = register(registry, name, folder, None if passed else because, tags, uri=uri, may=holder.demand)
    labelled = int(folder.metadata.get("trimtab.rows", 0))
    effect = Effect(done.version.version, done.candidate, passed, because, until, labelled)
    holder.claims.settle(holder.key, holder.run, effect)
    return effect
