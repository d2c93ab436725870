"""What the loop wrote of a project's monitor, for a person to read."""

from collections.abc import Mapping
from typing import Final

from trimtab.api.monitor import MonitorStatus
from trimtab.ports.state import State

KIND: Final = "DriftMonitor"


def conditions(state: State, name: str) -> Mapping[str, str]:
    """What keeps the monitor from judging, by condition; empty where nothing does, or no loop has looked yet."""
    document = state.read(KIND, name)
    return {} if document is None else MonitorStatus.model_validate(document.body).hindrances
