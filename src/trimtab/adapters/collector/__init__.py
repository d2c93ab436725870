"""The collector, as a client sees it: its questions and labels over HTTP."""

from trimtab.adapters.collector.client import Collector, Label, Predictions

__all__ = ["Collector", "Label", "Predictions"]
