"""Ingest: source files become one versioned table each, typed once and enforced ever after."""

from trimtab.steps.ingest.ingest import ingest
from trimtab.steps.ingest.outcome import Ingested

__all__ = ["Ingested", "ingest"]
