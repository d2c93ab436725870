"""The project file, trimtab.yaml: what a data scientist writes. Flat; never applied to a cluster."""

from datetime import timedelta
from pathlib import PurePosixPath
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from trimtab.api.evaluation import Evaluation
from trimtab.api.monitor import Monitor
from trimtab.api.retrain import Retrain
from trimtab.api.rollout import Rollout
from trimtab.api.search import Search
from trimtab.api.sources import Column, Source, Zone
from trimtab.api.training import Loop
from trimtab.api.values import Duration, Spec, format_duration

IMAGE: Final = "trimtab:0.1.0"
"""The image of pipeline tasks as `make images` tags it, by trimtab's version; a project names its registry's."""
Task = Literal["binary", "multiclass", "regression"]
FAMILIES = ("gradient_boosting", "extra_trees", "logistic", "mlp")

Name = Annotated[
    str, Field(pattern=r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$", description="lower case, digits, -")
]
Identifier = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,62}$")]


def _inside(path: str) -> str:
    pure = PurePosixPath(path)
    if pure.is_absolute() or ".." in pure.parts:
        raise ValueError(
            f"'{path}' leaves the project's folder — name a file inside it, relative to trimtab.yaml"
        )
    return path


ProjectFile = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(_inside)]


class Traffic(Spec):
    """What to expect at the endpoint; lets `check` say whether a step can be decided."""

    requests_per_day: Annotated[int, Field(gt=0)]


class Label(Spec):
    """What came true."""

    column: Column
    known_at: Column | None = Field(None, description="column that holds when the label became known")
    mature_after: Duration = Field(
        timedelta(days=1),
        description="a cohort is scored this long after its time, by the labels that are known then",
    )
    missing: Literal["exclude"] | float = Field(
        "exclude", description="what a label that never comes counts as"
    )


class Examples(Spec):
    """One row is one prediction."""

    table: Identifier | None = Field(None, description="default: the only table, or the only source")
    key: Annotated[list[Column], Field(max_length=8)] = Field(
        default_factory=list, description="names a prediction; labels and lineage join by it"
    )
    time: Column | None = Field(None, description="when the prediction is made")
    label: Label


class Model(Spec):
    """A ready family, in place of a model.py."""

    family: Literal["gradient_boosting", "extra_trees", "logistic", "mlp"] = "gradient_boosting"
    params: dict[str, Any] = Field(default_factory=dict, description="passed to the estimator")


class Split(Spec):
    """How examples are held out: by time where there is one, else at random."""

    validation: Duration | float = timedelta(days=7)
    test: Duration | float = timedelta(days=7)
    gap: Duration | Literal["auto"] = Field("auto", description="auto: label.matureAfter")
    refit: bool = Field(True, description="after the gates pass, fit anew on all rows")


class Resources(Spec):
    cpu: Annotated[int, Field(ge=1, le=256)] = 2
    memory: Annotated[str, Field(pattern=r"^[1-9][0-9]*(Mi|Gi)$")] = Field(
        "4Gi", description="a whole number with Mi or Gi, such as 512Mi or 4Gi"
    )
    gpu: Annotated[int, Field(ge=0, le=64)] = 0


class Training(Loop):
    """How a model is trained. What `Loop` has is of networks alone."""

    window: Duration | Literal["all"] = "all"
    split: Split = Field(default_factory=Split)
    seed: Annotated[int, Field(ge=0, lt=2**32)] = 7
    resources: Resources = Field(default_factory=Resources)


class Export(Spec):
    """How the model is written down for servers."""

    quantize: Literal["dynamic", "static"] | None = Field(
        None, description="matrix products in 8 bits, taken only if the gates still pass; trees gain nothing"
    )
    prune: Annotated[float, Field(gt=0, lt=1)] | None = Field(
        None,
        description="share of each hidden layer's units of a network that is left out, those that do least; "
        "taken only if the gates still pass",
    )


class Online(Spec):
    missing: Literal["nulls", "reject"] = Field("nulls", description="what an unknown key gets")


class Environment(Spec):
    image: Annotated[str, Field(max_length=512)] = IMAGE
    requirements: ProjectFile | None = None


class Project(Spec):
    """One project: data, features, model, and the rules by which it is kept good."""

    api_version: Literal["trimtab.dev/v1alpha1"] = "trimtab.dev/v1alpha1"
    kind: Literal["Project"] = "Project"
    name: Name
    time_zone: Zone = "UTC"
    traffic: Traffic | None = None
    sources: Annotated[dict[Identifier, Source], Field(min_length=1, max_length=64)]
    tables: Annotated[dict[Identifier, ProjectFile], Field(max_length=64)] = Field(default_factory=dict)
    expectations: ProjectFile | None = None
    examples: Examples
    features: ProjectFile | None = None
    model: ProjectFile | Model = Field(default_factory=Model)
    training: Training = Field(default_factory=Training)
    search: Search | None = Field(
        None, description="look for the model and its parameters; default: no search"
    )
    evaluation: Evaluation = Field(default_factory=Evaluation)
    export: Export = Field(default_factory=Export)
    online: Online = Field(default_factory=Online)
    rollout: Rollout = Field(default_factory=Rollout)
    monitor: Monitor = Field(default_factory=Monitor)
    retrain: Retrain = Field(default_factory=Retrain)
    environment: Environment = Field(default_factory=Environment)

    @model_validator(mode="after")
    def _names_agree(self) -> Self:
        both = sorted(self.sources.keys() & self.tables.keys())
        if both:
            raise ValueError(f"'{both[0]}' is both a source and a table — rename one of them")
        if self.examples.table is not None and self.examples.table not in {*self.sources, *self.tables}:
            known = ", ".join([*self.tables, *self.sources])
            raise ValueError(
                f"examples.table '{self.examples.table}' is neither a table nor a source — one of {known}"
            )
        if self.examples.table is None and len(self.tables or self.sources) != 1:
            raise ValueError(
                "examples.table is needed: there is more than one table — say which holds the examples"
            )
        return self

    @model_validator(mode="after")
    def _search_fits(self) -> Self:
        if self.search is None:
            return self
        gap, mature = self.search.folds.gap, self.examples.label.mature_after
        if gap != "auto" and gap < mature and self.examples.time is not None:
            raise ValueError(
                f"search.folds.gap {format_duration(gap)} is shorter than examples.label.matureAfter "
                f"{format_duration(mature)}: labels would leak — write auto, or a longer one"
            )
        if self.examples.time is None and (self.search.folds.length or self.search.folds.window == "sliding"):
            raise ValueError(
                "search.folds has a length or a sliding window, but examples have no time — name examples.time, or "
                "take them out: folds are drawn at random then"
            )
        families, parameters = self.search.families(), self.search.parameters()
        if isinstance(self.model, str):
            if families or not parameters:
                raise ValueError(
                    f"search.space names no parameter of {self.model} — write those that build takes, such as "
                    "{learning_rate: {low: 0.01, high: 0.3, log: true}}"
                )
            return self
        if parameters:
            first = next(iter(parameters))
            raise ValueError(
                f"search.space.{first} stands beside the families — put it under its family, such as "
                f"{{{self.model.family}: {{{first}: …}}}}"
            )
        if unknown := [name for name in families if name not in FAMILIES]:
            raise ValueError(f"search.space.{unknown[0]} is no model family — one of {', '.join(FAMILIES)}")
        return self

    @property
    def examples_table(self) -> str:
        """The table that holds the examples."""
        return self.examples.table or next(iter(self.tables or self.sources))

    @property
    def files(self) -> list[str]:
        """The files that trimtab.yaml names, relative to it."""
        named = [*self.tables.values(), self.expectations, self.features, self.environment.requirements]
        if isinstance(self.model, str):
            named.append(self.model)
        return sorted({file for file in named if file is not None})
