"""Tables on Delta Lake: atomic commits and versions on a plain disk."""

from trimtab.adapters.delta.tables import DeltaTables

__all__ = ["DeltaTables"]
