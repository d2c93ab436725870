"""The CustomResourceDefinitions: models, rules and columns in one YAML file a kind."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from trimtab.api.resources.meta import GROUP, VERSION, Resource
from trimtab.api.resources.rules import NAME
from trimtab.api.resources.structural import structural, summary

HEADER: Final = """\
# Generated from src/trimtab/api/resources by `make generate`.
# Install it with `kubectl apply --server-side`.
"""
CATEGORY: Final = "trimtab"


@dataclass(frozen=True, slots=True)
class Column:
    """One column of `kubectl get`; those of priority 1 come with -o wide."""

    name: str
    path: str
    kind: str = "string"
    priority: int = 0
    description: str = ""

    def as_schema(self) -> dict[str, Any]:
        column: dict[str, Any] = {"name": self.name, "type": self.kind, "jsonPath": self.path}
        if self.description:
            column["description"] = self.description
        return column | ({"priority": self.priority} if self.priority else {})


def _condition(kind: str) -> str:
    return f'.status.conditions[?(@.type=="{kind}")].status'


AGE: Final = Column("Age", ".metadata.creationTimestamp", "date")

COLUMNS: Final[Mapping[str, tuple[Column, ...]]] = {
    "ModelRollout": (
        Column("Phase", ".status.phase", description="What the rollout is doing."),
        Column("Stable", ".status.stable.version", description="Version that serves."),
        Column("Candidate", ".status.candidate.version", description="Version on its way."),
        Column(
            "Traffic", ".status.shares.candidate", "integer", description="Percent answered by the candidate."
        ),
        Column("Mirror", ".status.shares.mirror", "integer", description="Percent copied to the candidate."),
        Column("Verdict", ".status.verdict", description="The worst of the checks at this step."),
        Column("Ready", _condition("Ready"), priority=1),
        Column("Stalled", _condition("Stalled"), priority=1, description="Whether a person is needed."),
        Column("Audience", ".status.audience", priority=1, description="Callers whom the candidate answers."),
        Column("Preview", ".status.preview", priority=1, description="Host that the candidate answers."),
        Column("URL", ".status.address.url", priority=1),
        AGE,
    ),
    "DriftMonitor": (
        Column("Drifted", _condition("Drifted"), description="Whether an episode of drift is open."),
        Column("Worst", ".status.worst[0].column", description="The column that moved most."),
        Column("Value", ".status.worst[0].value", description="Its measure's value."),
        Column("Rows", ".status.rows", "integer", description="Rows of the latest window."),
        Column("Coverage", ".status.coverage", description="Share of requests seen in it."),
        Column("Performance", _condition("PerformanceDropped"), priority=1),
        Column("Ready", _condition("Ready"), priority=1),
        AGE,
    ),
    "RetrainPolicy": (
        Column("Ready", _condition("Ready")),
        Column("Running", _condition("Running"), description="Whether a run is under way."),
        Column("Run", ".status.current.runId", description="The run under way."),
        Column("State", ".status.current.state", description="Its state."),
        Column(
            "Circuit", _condition("CircuitOpen"), priority=1, description="Whether failures hold it back."
        ),
        Column("Suspended", ".spec.suspend", "boolean", priority=1),
        AGE,
    ),
}


def definition(resource: type[Resource]) -> dict[str, Any]:
    """The CustomResourceDefinition of a kind."""
    kind = resource.__name__
    schema = {
        "type": "object",
        "description": summary(resource),
        "required": ["spec"],
        "properties": {
            "apiVersion": {"type": "string"},
            "kind": {"type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(resource.SPEC),
            "status": structural(resource.STATUS, status=True),
        },
        "x-kubernetes-validations": [NAME.as_schema()],
    }
    version = {
        "name": VERSION,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [column.as_schema() for column in COLUMNS[kind]],
    }
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{resource.PLURAL}.{GROUP}"},
        "spec": {
            "group": GROUP,
            "scope": "Namespaced",
            "names": {
                "kind": kind,
                "listKind": f"{kind}List",
                "plural": resource.PLURAL,
                "singular": kind.lower(),
                "shortNames": [resource.SHORT],
                "categories": [CATEGORY],
            },
            "versions": [version],
        },
    }


def manifest(resource: type[Resource]) -> str:
    """The file in manifests/crds."""
    return HEADER + yaml.safe_dump(definition(resource), sort_keys=False, width=110, allow_unicode=True)
