"""The ready family `mlp`: embedded categories beside the numbers, then layers of ReLU."""

from collections.abc import Sequence

import torch
from torch import nn

from trimtab.features.schema import FeatureSchema


class Mlp(nn.Module):  # type: ignore[misc]  # torch is not followed by mypy
    """A network by model.py's contract.

    Args:
        hidden: width of each hidden layer.
        dropout: share of a hidden layer that is left out of a training step.
        widest: largest width of an embedding; else 1.6 · values^0.56, a rule of thumb of fastai.
    """

    def __init__(
        self, schema: FeatureSchema, hidden: Sequence[int] = (128, 64), dropout: float = 0.1, widest: int = 32
    ) -> None:
        super().__init__()
        values = [len(category.vocabulary) + 1 for category in schema.categorical]
        widths = [min(widest, round(1.6 * count**0.56)) for count in values]
        self.embeddings = nn.ModuleList(nn.Embedding(*pair) for pair in zip(values, widths, strict=True))
        width = len(schema.numeric) + sum(widths)
        layers: list[nn.Module] = []
        for size in hidden:
            layers += [nn.Linear(width, size), nn.ReLU(), nn.Dropout(dropout)]
            width = size
        self.layers = nn.Sequential(*layers, nn.Linear(width, max(1, len(schema.classes))))

    def forward(self, numeric: torch.Tensor, categorical: torch.Tensor) -> torch.Tensor:
        embedded = [embedding(categorical[:, i]) for i, embedding in enumerate(self.embeddings)]
        logits: torch.Tensor = self.layers(torch.cat([numeric, *embedded], dim=1))
        return logits
