"""`evaluation` of trimtab.yaml: how a model is judged before it may become a candidate."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from trimtab.api.sources import Column
from trimtab.api.values import FileBound, MetricName, Number, Spec

Gap = Literal["demographic_parity_difference", "equal_opportunity_difference", "equalized_odds_difference"]
Otherwise = Literal["refuse", "warn"]
Given = str | int | float | bool | None
Values = Annotated[list[Given], Field(min_length=1, max_length=20)]


class Gate(Spec):
    """A bound on one metric; the model is refused when it does not hold."""

    metric: MetricName
    at_least: Number | None = None
    at_most: Number | None = None
    no_worse_than_stable_by: FileBound | None = None
    better_than_stable_by: FileBound | None = None

    @model_validator(mode="after")
    def _one_bound(self) -> Self:
        bounds = (self.at_least, self.at_most, self.no_worse_than_stable_by, self.better_than_stable_by)
        if sum(bound is not None for bound in bounds) != 1:
            raise ValueError("a gate has one of atLeast, atMost, noWorseThanStableBy, betterThanStableBy")
        return self


class GapLimit(Spec):
    """A bound on one gap between groups; the model is refused when it does not hold."""

    gap: Gap
    at_most: Annotated[float, Field(ge=0, le=1)]


class Fairness(Spec):
    """Gaps between the groups that an attribute makes, of a binary label."""

    attributes: Annotated[list[Column], Field(min_length=1, max_length=8)]
    threshold: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.5, description="from which probability on the positive class is called"
    )
    min_rows: Annotated[int, Field(ge=10)] = Field(50, description="smaller groups are shown, and not judged")
    limits: Annotated[list[GapLimit], Field(max_length=3)] = Field(
        default_factory=list, description="gates on gaps; without any they are shown only"
    )


class Invariance(Spec):
    """An answer that should not depend on something: set it to other values, and the answer moves at most so far."""

    test: Literal["invariance"]
    name: Annotated[str, Field(min_length=1, max_length=80)]
    set: Annotated[dict[Column, Values], Field(min_length=1, max_length=8)]
    where: dict[Column, Values] = Field(default_factory=dict)
    at_most: Annotated[float, Field(ge=0)] = Field(0.0, description="how far the answer may move, either way")
    share: Annotated[float, Field(ge=0, lt=1)] = Field(0.0, description="share of rows that may fail")
    otherwise: Otherwise = Field(default="refuse", alias="else")


class Direction(Spec):
    """An answer that should follow something: add to a number, and the answer rises, or falls, or at least stays."""

    test: Literal["direction"]
    name: Annotated[str, Field(min_length=1, max_length=80)]
    add: Annotated[dict[Column, float], Field(min_length=1, max_length=8)]
    answer: Literal["rises", "falls"] = Field(description="rises: must not fall; falls: must not rise")
    where: dict[Column, Values] = Field(default_factory=dict)
    tolerance: Annotated[float, Field(ge=0)] = Field(0.0, description="how far it may go the wrong way")
    share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    otherwise: Otherwise = Field(default="refuse", alias="else")


class MinimumFunctionality(Spec):
    """Rows of which everyone knows the answer: it is at least, or at most, so much; a row is real, with values set."""

    test: Literal["minimum_functionality"]
    name: Annotated[str, Field(min_length=1, max_length=80)]
    where: dict[Column, Values] = Field(default_factory=dict)
    set: dict[Column, Given] = Field(default_factory=dict)
    at_least: float | None = None
    at_most: float | None = None
    share: Annotated[float, Field(ge=0, lt=1)] = 0.0
    otherwise: Otherwise = Field(default="refuse", alias="else")

    @model_validator(mode="after")
    def _a_bound(self) -> Self:
        if self.at_least is None and self.at_most is None:
            raise ValueError("a minimum_functionality test has atLeast, atMost or both")
        return self


Behaviour = Annotated[Invariance | Direction | MinimumFunctionality, Field(discriminator="test")]


class Evaluation(Spec):
    metrics: Annotated[list[MetricName], Field(max_length=16)] = Field(
        default_factory=list, description="default: those of the task"
    )
    gates: Annotated[list[Gate], Field(max_length=32)] = Field(default_factory=list)
    slices: Annotated[list[Column], Field(max_length=16)] = Field(default_factory=list)
    find_slices: bool = Field(True, description="search the features for slices where the model is worst")
    group: Column | None = Field(
        None, description="column whose rows are ranked among themselves (a query), or form a series"
    )
    fairness: Fairness | None = None
    behaviour: Annotated[list[Behaviour], Field(max_length=64)] = Field(default_factory=list)

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [test.name for test in self.behaviour]
        if twice := {name for name in names if names.count(name) > 1}:
            raise ValueError(f"two behaviour tests are named '{min(twice)}' — rename one of them")
        return self

    @property
    def kept_columns(self) -> list[str]:
        """Columns of the examples that judging needs beside the features, each once."""
        attributes = self.fairness.attributes if self.fairness else []
        return list(dict.fromkeys([*self.slices, *attributes, *([self.group] if self.group else [])]))
