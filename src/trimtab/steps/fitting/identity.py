"""What makes a training the one that it is: the same values, the same weights."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from trimtab.api.project import Project
from trimtab.ports.tables import Pointer
from trimtab.steps.fitting.contract import ModelSource


def identity_of(
    project: Project,
    source: ModelSource,
    features: Pointer,
    until: datetime | None,
    window: timedelta | None,
    verb: str,
    **more: Any,
) -> Mapping[str, Any]:
    """As values of JSON; what is read of the project is all that a fit reads of it."""
    return {
        "verb": verb,
        "features": features.digest,
        "until": until,
        "window": window,
        "model": source.digest or source.name,
        "params": source.params,
        "training": project.training.model_dump(mode="json", exclude={"checkpoint_every", "reader"}),
        **more,
    }
