"""Searches drawn and pruned by Optuna, kept in an SQLite file."""

from trimtab.adapters.optuna.claimed import claimed
from trimtab.adapters.optuna.studies import OptunaStudies

__all__ = ["OptunaStudies", "claimed"]
