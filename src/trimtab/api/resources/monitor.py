"""DriftMonitor: is the world still the one that the model was trained on?"""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import BeforeValidator, StringConstraints, model_validator

from trimtab.api.monitor import Monitor, MonitorStatus
from trimtab.api.resources.meta import ObservedStatus, Resource, ResourceName
from trimtab.api.values import Real, Spec


class Target(Spec):
    """Whose traffic is meant.

    Attributes:
        rollout_ref: a ModelRollout of this namespace.
    """

    rollout_ref: ResourceName


def _no_number(value: object) -> object:
    """The API server takes no 1 for true; Python does."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"{value} is a number: write true")
    return value


class Reference(Spec):
    """The profile of the rows that the model was trained on. Exactly one of `fromModel` and `uri`.

    Attributes:
        from_model: the profile that was registered with the stable model.
        uri: folder of a registered model whose profile is taken instead, as the rollout's registry writes it.
    """

    from_model: Annotated[Literal[True] | None, BeforeValidator(_no_number)] = None
    uri: (
        Annotated[
            str, StringConstraints(pattern=r"^[a-z][-a-z0-9+.]*:/[!-~]+$", max_length=2048, strict=True)
        ]
        | None
    ) = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.from_model is None) == (self.uri is None):
            raise ValueError("give exactly one of fromModel and uri")
        return self


class DriftMonitorSpec(Monitor):
    """What is watched, beside which reference, and when it counts as drifted.

    Attributes:
        target: the rollout whose stable revision is watched; never changes.
        reference: what the world is compared with.
    """

    target: Target
    reference: Reference = Reference(from_model=True)

    def monitor(self) -> Monitor:
        """The settings as the decisions take them."""
        return Monitor(**{name: getattr(self, name) for name in Monitor.model_fields})


class DriftMonitorStatus(ObservedStatus, MonitorStatus):
    """What the monitor has seen.

    Attributes:
        coverage: share of the gateway's requests that were seen in the latest window.
        report_url: where the latest window's report is.
    """

    coverage: Real | None = None
    report_url: str = ""


class DriftMonitor(Resource):
    """Watches the inputs and the performance of a rollout's stable model."""

    PLURAL: ClassVar[str] = "driftmonitors"
    SHORT: ClassVar[str] = "dm"
    SPEC: ClassVar[type[Spec]] = DriftMonitorSpec
    STATUS: ClassVar[type[ObservedStatus]] = DriftMonitorStatus

    kind: Literal["DriftMonitor"] = "DriftMonitor"
    spec: DriftMonitorSpec
