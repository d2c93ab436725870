"""A network in place of gradient boosting: `model: network.py` in trimtab.yaml takes it, and nothing else changes.

Carrier and route, which is origin and destination together, are embedded: what one airline learns on its many routes
helps on its rare ones. Numbers are cut at a few standard deviations: a network that has seen no July goes on in a
straight line where its winter ends, and would be sure of what it has never seen.
"""

import torch
from torch import nn


def build(schema, **params):
    """A torch module; trimtab trains it, stops it early, exports it and proves the export."""
    return Flights(schema, **params)


class Flights(nn.Module):
    def __init__(self, schema, hidden=64, width=8, dropout=0.2, widest=2.0):
        super().__init__()
        names = [category.name for category in schema.categorical]
        values = [len(category.vocabulary) + 1 for category in schema.categorical]
        self.carrier, self.origin, self.dest = (names.index(name) for name in ("carrier", "origin", "dest"))
        self.destinations, self.widest = values[self.dest], widest
        self.carriers = nn.Embedding(values[self.carrier], width)
        self.routes = nn.Embedding(values[self.origin] * self.destinations, width)
        for embedding in (self.carriers, self.routes):
            nn.init.normal_(embedding.weight, std=0.05)
        self.layers = nn.Sequential(
            nn.Linear(len(schema.numeric) + 2 * width, hidden), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden, hidden // 2), nn.ReLU(), nn.Dropout(dropout),
            nn.Linear(hidden // 2, len(schema.classes)),
        )  # fmt: skip

    def forward(self, numeric, categorical):
        """Logits, shape (rows, classes), of numbers, float32, and category codes, int64; code 0 is missing or new."""
        route = categorical[:, self.origin] * self.destinations + categorical[:, self.dest]
        known = [self.carriers(categorical[:, self.carrier]), self.routes(route)]
        return self.layers(torch.cat([numeric.clamp(-self.widest, self.widest), *known], dim=1))
