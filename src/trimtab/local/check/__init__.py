"""`trimtab check`: everything that is wrong with a project's files, at once, before anything runs.

`files` looks at each file alone, `columns` at what the files say of each other's columns, `model` tries a
model.py, `metrics` and `decidable` weigh gates and rollout steps.
"""

from trimtab.local.check.findings import Findings, check_project

__all__ = ["Findings", "check_project"]
