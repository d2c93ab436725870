"""The random state of every library that a model.py may draw from: set, told, and put back."""

import random
from typing import Any

import numpy as np
import torch


def seed_all(seed: int) -> None:
    """Begin every library's sequence at this seed."""
    random.seed(seed)
    np.random.seed(seed)  # model.py may use the legacy generator
    torch.manual_seed(seed)  # of every device


def random_state() -> dict[str, Any]:
    """Where each library stands in its sequence, in values that torch.load takes with weights_only.

    Of GPUs the one that this process learns on; none where nothing was done on one yet.
    """
    legacy = np.random.get_state(legacy=False)
    keys = legacy["state"]["key"].astype(np.int64)
    return {
        "python": random.getstate(),
        "numpy": {**legacy, "state": {**legacy["state"], "key": torch.from_numpy(keys)}},
        "torch": torch.get_rng_state(),
        "cuda": [torch.cuda.get_rng_state()] if torch.cuda.is_initialized() else [],
    }


def put_back(state: dict[str, Any]) -> None:
    """Go on from `random_state`."""
    random.setstate(state["python"])
    legacy = state["numpy"]
    keys = legacy["state"]["key"].numpy().astype(np.uint32)
    np.random.set_state({**legacy, "state": {**legacy["state"], "key": keys}})
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"][0])
