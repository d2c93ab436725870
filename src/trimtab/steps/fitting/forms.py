"""In which form a model's ONNX file is exported: as it was fitted, or smaller."""

from dataclasses import dataclass
from typing import Final, Literal

from trimtab.api.project import Export
from trimtab.features.columns import Columns
from trimtab.features.schema import Field
from trimtab.steps.fitting.pruned import pruned
from trimtab.steps.fitting.quantised import quantised
from trimtab.steps.fitting.refusals import ModelRefused


class NoSuchForm(ModelRefused):
    """The model has nothing that this form could leave out."""


@dataclass(frozen=True, slots=True)
class Form:
    """A form; false for the model as it was fitted.

    Attributes:
        prune: the share of each hidden layer's units that is left out.
        quantize: "static" or "dynamic" for matrix products in 8 bits; else "".
    """

    prune: float = 0.0
    quantize: Literal["", "dynamic", "static"] = ""

    @classmethod
    def asked(cls, export: Export) -> "Form":
        """What trimtab.yaml asks for."""
        return cls(export.prune or 0.0, export.quantize or "")

    def __bool__(self) -> bool:
        return bool(self.prune or self.quantize)

    def __str__(self) -> str:
        """As "in 8 bits", to stand behind a verb."""
        parts = (f"without {self.prune:.0%} of its hidden units", "in 8 bits")
        return " and ".join(
            part for part, is_so in zip(parts, (self.prune, self.quantize), strict=True) if is_so
        )

    def of(self, model: bytes, fields: tuple[Field, ...], rows: Columns) -> bytes:
        """The file in this form.

        Args:
            fields: the file's inputs.
            rows: features of its training rows.

        Raises:
            NoSuchForm: there is no hidden layer to prune, or no matrix product to quantise.
        """
        remedy = "take it out of export: in trimtab.yaml"
        if self.prune:
            smaller = pruned(model, self.prune, fields, rows)
            if smaller is None:
                raise NoSuchForm("there is no hidden layer to prune: only networks have some", remedy=remedy)
            model = smaller
        if self.quantize:
            smaller = quantised(model, self.quantize, fields, rows)
            if smaller is None:
                raise NoSuchForm(
                    "there is no matrix product to quantise: trees and linear models gain nothing from 8 bits",
                    remedy=remedy,
                )
            model = smaller
        return model


AS_IT_IS: Final = Form()
