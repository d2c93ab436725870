"""What is looked through: the project's space, or a family's own default. A further family joins by its default."""

import difflib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from typing import Any, Final

from trimtab.api.errors import InputRefused
from trimtab.api.project import Project
from trimtab.api.search import Parameter, Search
from trimtab.features.schema import Categorical, FeatureSchema, Task
from trimtab.ports.studies import Candidate, Space
from trimtab.steps.fitting.contract import ModelSource, family_source, is_module
from trimtab.steps.fitting.families import FAMILIES, REFUSED

MODEL_FILE: Final = "model"
"""The family's name where the model is a model.py."""


@dataclass(frozen=True, slots=True)
class Default:
    """A family's default space.

    Attributes:
        fixed: parameters of every trial.
        tasks: where the family can be used.
        unasked: it is tried where search.space names no family. A network is not: it needs torch, which not every
            place has, and a search must not depend on what is installed.
    """

    fixed: Mapping[str, Any]
    parameters: Mapping[str, Parameter]
    tasks: tuple[Task, ...] = ("binary", "multiclass", "regression")
    unasked: bool = True


DEFAULTS: Final[Mapping[str, Default]] = {
    "gradient_boosting": Default(
        {"early_stopping": False},  # rounds are looked for instead: one part's weather would choose them
        {
            "learning_rate": Parameter(low=0.02, high=0.3, log=True),
            "max_iter": Parameter(low=40, high=400, log=True),
            "max_leaf_nodes": Parameter(low=7, high=63, log=True),
            "min_samples_leaf": Parameter(low=20, high=500, log=True),
            "l2_regularization": Parameter(low=0.001, high=10.0, log=True),
        },
    ),
    "extra_trees": Default(
        {},
        {
            "max_features": Parameter(low=0.2, high=1.0),
            "max_leaf_nodes": Parameter(low=64, high=512, log=True),
            "min_samples_leaf": Parameter(low=20, high=500, log=True),
        },
    ),
    "logistic": Default({}, {"C": Parameter(low=0.001, high=100.0, log=True)}, ("binary", "multiclass")),
    "mlp": Default(
        {},  # how it learns is the project's training:, for trials as for the fit that follows
        {
            "hidden": Parameter(choices=[[32], [64, 32], [128, 64], [256, 128], [128, 128, 64]]),
            "dropout": Parameter(low=0.0, high=0.4, step=0.1),
            "widest": Parameter(choices=[8, 16, 32, 64]),
        },
        unasked=False,
    ),
}


def space_of(project: Project, search: Search, task: Task) -> Space:
    """Parameters by family; those of a model.py under the name `model`.

    Raises:
        InputRefused: a family cannot be used for the task.
    """
    if isinstance(project.model, str):
        return {MODEL_FILE: search.parameters()}
    named = search.families()
    if not named:
        return {name: one.parameters for name, one in DEFAULTS.items() if one.unasked and task in one.tasks}
    for family in named:
        if family in DEFAULTS and task not in DEFAULTS[family].tasks:
            raise InputRefused(
                f"trimtab.yaml: search.space.{family} takes classes, but the label is a number",
                remedy="take it out of search.space",
            )
    return {name: given or _default(name) for name, given in named.items()}


def _default(family: str) -> Mapping[str, Parameter]:
    if family not in DEFAULTS:
        raise InputRefused(
            f"trimtab.yaml: search.space.{family} is empty, and the family has no default space",
            remedy="name its parameters",
        )
    return DEFAULTS[family].parameters


def source_of(candidate: Candidate, own: ModelSource, *, default: bool) -> ModelSource:
    """The model that a candidate means. What it does not name stays as the project has it.

    Args:
        own: the project's model.
        default: the family's space is its default one, whose fixed parameters hold too.
    """
    if candidate.family == MODEL_FILE:
        return replace(own, params={**own.params, **candidate.params})
    kept = own.params if own.name == candidate.family else {}
    fixed = DEFAULTS[candidate.family].fixed if default else {}
    return family_source(candidate.family, {**kept, **fixed, **candidate.params})


def is_default(search: Search, family: str) -> bool:
    """Whether the project leaves this family's space to us."""
    return family != MODEL_FILE and not search.families().get(family)


def grid(space: Space) -> list[Candidate]:
    """Every point of a space without ranges that have no end, family by family."""
    return [
        Candidate(family, dict(zip(parameters, point, strict=True)))
        for family, parameters in space.items()
        for point in product(*(one.values() or [] for one in parameters.values()))
    ]


def unknown_parameters(
    space: Space, of_file: Sequence[str] | None, task: Task, file: str
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Parameters that a family's estimator, or model.py's `build`, does not take.

    Args:
        of_file: names that build takes; None for any.
        file: model.py's name, for messages.

    Yields:
        Path below `search.space`, what is wrong, and the remedy.
    """
    for family, parameters in space.items():
        path, who = ((), file) if family == MODEL_FILE else ((family,), family)
        takes = of_file if family == MODEL_FILE else _of_family(family, task)
        for name in parameters:
            if takes is not None and name not in takes:
                spelt = {one.lower(): one for one in takes}
                near = [spelt[one] for one in difflib.get_close_matches(name.lower(), spelt, n=1)]
                known = ", ".join(sorted(takes)) or "none"
                remedy = f"did you mean `{near[0]}`?" if near else f"it takes {known}"
                yield (*path, name), f"{who} takes no parameter '{name}'", remedy


def check_parameters(space: Space, own: ModelSource, task: Task) -> None:
    """Refuse a space that names what its family does not take.

    Raises:
        InputRefused: naming the field.
    """
    file = own.name.rsplit("/", 1)[-1]
    for path, message, remedy in unknown_parameters(space, _of_build(own), task, file):
        raise InputRefused(f"trimtab.yaml: search.space.{'.'.join(path)}: {message}", remedy=remedy)


def _of_build(source: ModelSource) -> list[str] | None:
    """Names that build takes; None where it takes any."""
    parameters = inspect.signature(source.build).parameters.values()
    if any(one.kind is one.VAR_KEYWORD for one in parameters):
        return None
    return [one.name for one in list(parameters)[1:]]


def _of_family(family: str, task: Task) -> list[str] | None:
    """Names of the estimator's parameters, or of those that make a network; None where it does not tell."""
    schema = FeatureSchema(
        ("x",), (Categorical("word", ("a",)),), task, () if task == "regression" else ("0", "1")
    )
    estimator = FAMILIES[family](schema)
    if is_module(estimator):
        return [*inspect.signature(type(estimator)).parameters][1:]
    last = estimator[-1] if hasattr(estimator, "steps") else estimator
    if not hasattr(last, "get_params"):
        return None
    return [name for name in last.get_params() if (family, name) not in REFUSED]
