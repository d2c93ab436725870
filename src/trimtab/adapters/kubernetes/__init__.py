"""What is stored in our own resources: the loop's state, an inline model's notes, conditions. Over ports.Cluster."""

from trimtab.adapters.kubernetes.conditions import merged
from trimtab.adapters.kubernetes.notes import Notes, annotated
from trimtab.adapters.kubernetes.posted import PostedEvents
from trimtab.adapters.kubernetes.state import ResourceState

__all__ = ["Notes", "PostedEvents", "ResourceState", "annotated", "merged"]
