"""Run parameters, which are texts, as what tasks work with."""

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from trimtab.api.errors import InputRefused
from trimtab.api.values import parse_duration

RUN_VARIABLE = "TRIMTAB_RUN"
OWNER_VARIABLE = "TRIMTAB_OWNER"


def moment(text: str) -> datetime:
    """A run's `until`; now where it is empty.

    Raises:
        InputRefused: it is no time with a zone.
    """
    if not text:
        return datetime.now(UTC)
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise InputRefused(f"until '{text}' is no RFC 3339 time", remedy="such as 2013-07-01T00:00:00Z")
    return found


def window_of(text: str) -> timedelta | None:
    """A run's window: None for the project's own; all rows for `all`."""
    if not text:
        return None
    return timedelta.max if text == "all" else parse_duration(text)


def owner_of_claims() -> Mapping[str, Any] | None:
    """With what claims go: the policy whose Job this is, as an entry of ownerReferences; None where nobody says."""
    said: Mapping[str, Any] | None = json.loads(os.environ.get(OWNER_VARIABLE, "null"))
    return said


def run_of(claims: str, run: str) -> str:
    """The id under which this run claims: that of its Job, which outlives the Job's pods, else what the engine says.

    Raises:
        InputRefused: the engine did not fill in the id, so that every run would take itself for the holder.
    """
    identity = os.environ.get(RUN_VARIABLE) or run
    if claims and (not identity or "{{" in identity):
        raise InputRefused(
            f"the pipeline engine passed '{run}' in place of the run's id",
            remedy="use Kubeflow Pipelines 2.x, which fills in {{$.pipeline_job_uuid}}",
        )
    return identity
