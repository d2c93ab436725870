"""`search:` of trimtab.yaml: which model and which parameters to look for, how long, and on which folds."""

import json
from datetime import timedelta
from typing import Annotated, Any, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from trimtab.api.values import Duration, MetricName, Spec

Scalar = bool | int | float | str | None
Choice = Scalar | list[Scalar]
ParameterName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]


class Parameter(Spec):
    """Values that one parameter may take: a range, or a few choices.

    A range of whole numbers, both ends written without a point, gives whole numbers.
    """

    low: int | float | None = None
    high: int | float | None = None
    log: bool = Field(False, description="even over orders of magnitude, such as 0.001 to 0.1")
    step: int | float | None = Field(None, description="only low, low + step, …")
    choices: Annotated[list[Choice], Field(max_length=256)] | None = None

    @model_validator(mode="after")
    def _range_or_choices(self) -> Self:
        if self.choices is not None:
            if self.low is not None or self.high is not None or self.log or self.step is not None:
                raise ValueError("has choices and a range — keep one of them")
            if not self.choices:
                raise ValueError("has no choices — name at least one, or leave the parameter out")
            if len({json.dumps(one) for one in self.choices}) < len(self.choices):
                raise ValueError("names a choice twice — keep one of them")
            return self
        if self.low is None or self.high is None:
            raise ValueError("has no end on one side — write {low: …, high: …}, or {choices: […]}")
        if self.low > self.high:
            raise ValueError(f"is empty: low {self.low} is above high {self.high} — swap them")
        if self.log and self.low <= 0:
            raise ValueError(f"has a log scale from {self.low} — begin above 0, or leave log out")
        if self.log and self.step is not None:
            raise ValueError("has log and step — keep one of them")
        if self.step is not None and self.step <= 0:
            raise ValueError(f"has a step of {self.step} — write one above 0")
        return self

    @property
    def whole(self) -> bool:
        """Whether it takes whole numbers only."""
        return all(isinstance(one, int) for one in (self.low, self.high, self.step or 0))

    def values(self) -> list[Any] | None:
        """All that it may be, for a grid; None where there is no end of them."""
        if self.choices is not None:
            return list(self.choices)
        assert self.low is not None
        assert self.high is not None
        if self.log or (self.step is None and not self.whole):
            return None
        step = self.step or 1
        count = int((self.high - self.low) / step + 1e-9) + 1
        return [self.low + i * step for i in range(count)]


Parameters = Annotated[dict[ParameterName, Parameter], Field(max_length=64)]


def _kind(value: Any) -> str:
    fields = {"low", "high", "log", "step", "choices"}
    named = isinstance(value, dict) and bool(fields & value.keys())
    return "of model.py" if named or isinstance(value, Parameter) else "of a family"


Space = dict[
    ParameterName,
    Annotated[
        Annotated[Parameter, Tag("of model.py")] | Annotated[Parameters, Tag("of a family")],
        Discriminator(_kind),
    ],
]


class Folds(Spec):
    """How a trial is judged: on parts of the time before the test, each after a gap behind what it learned from."""

    window: Literal["expanding", "sliding"] = Field(
        "expanding",
        description="expanding: learn from all before; sliding: from as much as the first fold has",
    )
    count: Annotated[int, Field(ge=1, le=20)] = 3
    length: Duration | None = Field(
        None, description="of each validation part; default: the later half of the time in `count` parts"
    )
    gap: Duration | Literal["auto"] = Field("auto", description="auto: label.matureAfter, and never less")
    outer: Annotated[int, Field(ge=0, le=10)] = Field(
        0, description="nested: so many outer folds say how good the searched procedure is; 0: none"
    )

    @model_validator(mode="after")
    def _some_time(self) -> Self:
        if self.length is not None and not self.length:
            raise ValueError("length is 0 — write one such as 7d")
        return self


class Search(Spec):
    """Looks for a model family and its parameters, within a time or a number of trials."""

    budget: Duration | None = Field(None, description="so long at most, over all resumptions")
    trials: Annotated[int, Field(ge=1, le=100_000)] | None = Field(None, description="so many at most")
    metric: MetricName | None = Field(None, description="default: the first of evaluation.metrics")
    sampler: Literal["tpe", "random", "grid"] = "tpe"
    pruner: Literal["median", "hyperband", "asha", "none"] = Field(
        "median", description="stops hopeless trials early"
    )
    at_once: Annotated[int, Field(ge=1, le=1024)] = Field(
        1,
        description="trials at a time, each in a process of Ray, where training.where says; 1: this process alone",
    )
    space: Annotated[Space, Field(max_length=64)] | None = Field(
        None,
        description="parameters by family, or those of model.py; {} for a family's own default. "
        "By itself: gradient_boosting, extra_trees and, for classes, logistic; mlp only where it is named",
    )
    folds: Folds = Field(default_factory=Folds)
    seed: Annotated[int, Field(ge=0, lt=2**32)] | None = Field(None, description="default: training.seed")

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if self.budget is None and self.trials is None:
            raise ValueError("search never ends — write budget: 20m, or trials: 50")
        if self.budget is not None and self.budget <= timedelta(0):
            raise ValueError("search.budget is 0 — write one such as 20m, or leave search out")
        if self.space is not None and not self.space:
            raise ValueError("search.space is empty — name a parameter, or leave space out for the default")
        if self.sampler == "grid":
            self._countable()
        return self

    def _countable(self) -> None:
        groups = {f"{name}.": one for name, one in self.families().items()} | {"": self.parameters()}
        if not any(groups.values()):
            raise ValueError("search.sampler grid needs search.space — write it, or take the sampler tpe")
        for prefix, parameters in groups.items():
            for name, one in parameters.items():
                if one.values() is None:
                    raise ValueError(
                        f"search.space.{prefix}{name} has no end of values for a grid — write choices or a step, "
                        "or take the sampler tpe"
                    )

    def families(self) -> dict[str, dict[str, Parameter]]:
        """Parameters by family, as written."""
        return {name: one for name, one in (self.space or {}).items() if not isinstance(one, Parameter)}

    def parameters(self) -> dict[str, Parameter]:
        """Parameters of model.py, as written."""
        return {name: one for name, one in (self.space or {}).items() if isinstance(one, Parameter)}
