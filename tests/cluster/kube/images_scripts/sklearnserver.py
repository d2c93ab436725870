"""A scikit-learn server as KServe's own: the SDK's model, a pickled estimator in --model_dir, the stock options.

It stands in for the image that KServe's `kserve-sklearnserver` runtime names, which lies in a registry.
"""

import argparse
from pathlib import Path
from typing import Any

import joblib
import kserve
import numpy as np
from kserve.model_server import parser

SUFFIXES = (".joblib", ".pkl", ".pickle")


class SklearnModel(kserve.Model):
    """One estimator, loaded from the one file with a known suffix."""

    def __init__(self, name: str, folder: Path) -> None:
        super().__init__(name)
        self.folder = folder

    def load(self) -> bool:
        (file,) = (path for path in sorted(self.folder.iterdir()) if path.suffix in SUFFIXES)
        self.estimator = joblib.load(file)
        self.ready = True
        return self.ready

    def predict(self, payload: Any, headers: dict[str, str] | None = None, **more: Any) -> Any:
        instances = payload["instances"] if isinstance(payload, dict) else payload.inputs[0].as_numpy()
        return {"predictions": self.estimator.predict(np.asarray(instances)).tolist()}


options = argparse.ArgumentParser(parents=[parser])
options.add_argument("--model_dir", required=True)
given, _ = options.parse_known_args()
model = SklearnModel(given.model_name, Path(given.model_dir))
model.load()
kserve.ModelServer().start([model])
