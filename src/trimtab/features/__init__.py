"""What a model sees of an example: declared in features.py, computed alike in training and in serving.

Imports numpy only, since the model server runs a project's features.py without Feast, pandas or Arrow.
"""

from trimtab.features.columns import Columns
from trimtab.features.declaration import Request, View
from trimtab.features.definition import FeatureDefinition, load_features
from trimtab.features.plan import ServingPlan
from trimtab.features.schema import Categorical, FeatureSchema, Field

__all__ = [
    "Categorical",
    "Columns",
    "FeatureDefinition",
    "FeatureSchema",
    "Field",
    "Request",
    "ServingPlan",
    "View",
    "load_features",
]
