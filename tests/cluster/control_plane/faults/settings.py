"""The settings in which every row of the fault table must hold: what is served, and who plays KServe."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from trimtab.adapters.kserve.kinds import SERVING_RUNTIME
from trimtab.ports.cluster import Object

STOCK: Final = "kserve-sklearnserver"
OWN: Final = "trimtab"
CONTAINER: Final[Mapping[str, Any]] = {"name": "kserve-container", "image": "example.com/model:1"}
Mode = Literal["Standard", "Serverless"]


@dataclass(frozen=True, slots=True)
class Setting:
    """What is served, and what must be seen of it.

    Attributes:
        template: serving.template of the rollout.
        mode: KServe's default mode for an InferenceService; ours say that they are Standard.
        entry: the component that the gateway leads to.
        logged: the component beside which KServe's agent stands; "" for a server that logs by itself.
        real: KServe's own manager makes what an InferenceService stands for; else a player does.
    """

    name: str
    template: Mapping[str, Any]
    mode: Mode = "Standard"
    entry: str = "predictor"
    logged: str = "predictor"
    real: bool = False

    def __str__(self) -> str:
        return f"{self.name}, {'KServe' if self.real else 'played'}"

    @property
    def components(self) -> tuple[str, ...]:
        return tuple(name for name in ("predictor", "transformer") if name in self.template)


PLAYED: Final = (
    Setting("Serverless default", {"predictor": {"containers": [CONTAINER]}}, mode="Serverless"),
    Setting(
        "transformer",
        {
            "predictor": {"containers": [CONTAINER]},
            "transformer": {"containers": [{**CONTAINER, "image": "example.com/transformer:1"}]},
        },
        entry="transformer",
        logged="transformer",
    ),
    Setting(
        "stock sklearn and agent",
        {"predictor": {"model": {"modelFormat": {"name": "sklearn"}, "runtime": STOCK}}},
    ),
    Setting(
        "own server",
        {"predictor": {"model": {"modelFormat": {"name": "trimtab"}, "runtime": OWN}}},
        logged="",
    ),
)
REAL: Final = tuple(replace(one, real=True) for one in PLAYED)


def own_runtime(namespace: str) -> Object:
    """Our own server, for rollouts of one namespace."""
    container = {
        **CONTAINER,
        "command": ["python", "-m", "trimtab.bootstrap.serving"],
        "args": ["--host=0.0.0.0", "--model-dir=/mnt/models", "--http-port=8080"],
    }
    return {
        "apiVersion": SERVING_RUNTIME.api_version,
        "kind": SERVING_RUNTIME.kind,
        "metadata": {"name": OWN, "namespace": namespace},
        "spec": {
            "containers": [container],
            "supportedModelFormats": [{"name": "trimtab", "version": "1"}],
            "protocolVersions": ["v1", "v2"],
        },
    }
