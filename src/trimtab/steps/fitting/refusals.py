"""Why a model cannot be fitted, in words of the project's own files."""

from trimtab.api.errors import InputRefused


class ModelRefused(InputRefused):
    """model.py, its estimator, or what the estimator answers cannot be taken."""


class TrainingRefused(InputRefused):
    """The rows do not let a model be trained."""
