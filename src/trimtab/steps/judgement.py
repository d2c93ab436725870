"""What may refuse a model: gates on metrics, limits on gaps between groups, behaviour tests.

They stand apart from what is only shown, so that the same questions can be put to the model in another form.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from trimtab.api.project import Project
from trimtab.features.columns import Array, Columns, Kind
from trimtab.quality.fairness import Fairness, LimitResult, fairness, judge_gap
from trimtab.quality.gates import Gate, GateResult, judge
from trimtab.quality.metrics import evaluate as measured
from trimtab.steps.behaviour import BehaviourResult, behave
from trimtab.steps.held_out import Held
from trimtab.steps.questions import gate_of

Ask = Callable[[Columns], Array]
"""Features to answers, as `trimtab.quality` takes them."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What was found of a model, or of another form of it.

    Attributes:
        answers: to the held-out rows.
        metrics: by name.
    """

    answers: Array
    metrics: Mapping[str, float]
    gates: tuple[GateResult, ...]
    fairness: tuple[Fairness, ...]
    limits: tuple[LimitResult, ...]
    behaviour: tuple[BehaviourResult, ...]

    @property
    def refused(self) -> list[str]:
        """A sentence for each thing that refuses the model."""
        return [
            *(gate.because for gate in self.gates if not gate.passed),
            *(limit.because for limit in self.limits if not limit.passed),
            *(test.sentence for test in self.behaviour if test.refuses),
        ]


def judgement(project: Project, held: Held, ask: Ask) -> Judgement:
    """Put every question of `evaluation` to a model.

    Raises:
        InputRefused: a behaviour test does not fit the model's inputs.
    """
    asked, rows = project.evaluation, held.rows
    answers = ask(rows.features)
    found: tuple[Fairness, ...] = ()
    if asked.fairness is not None:
        found = tuple(
            fairness(
                name,
                rows.slices[name],
                held.labels,
                answers,
                held.blocks,
                project.training.seed,
                asked.fairness.threshold,
                asked.fairness.min_rows,
            )
            for name in asked.fairness.attributes
        )
    limits = asked.fairness.limits if asked.fairness else []
    kinds: dict[str, Kind] = {field.name: field.type for field in rows.plan.inputs}
    kinds |= {column.name: column.type for view in rows.plan.views for column in view.columns}
    return Judgement(
        answers,
        measured(held.names, held.labels, answers, held.beside),
        tuple(_gated(gate_of(spec), held, answers) for spec in asked.gates),
        found,
        tuple(judge_gap(gaps, limit.gap, limit.at_most) for gaps in found for limit in limits),
        behave(
            asked.behaviour,
            held.inputs,
            kinds,
            rows.ids,
            lambda inputs: ask(held.definition.features(inputs)),
            len(rows.plan.classes),
        ),
    )


def _gated(gate: Gate, held: Held, answers: Array) -> GateResult:
    if not (gate.against_stable and held.serving):
        return judge(gate, held.labels, answers, None, held.days, held.beside)
    if held.stable is None:
        rows = int(held.unseen.sum())
        because = (
            f"{gate.metric}: stable has not learned from only {rows} of the held-out rows; shadow must judge"
        )
        return GateResult(gate, True, because, float("nan"))
    seen, held_beside = held.unseen, held.beside.taken(held.unseen)
    return judge(gate, held.labels[seen], answers[seen], held.stable, held.days[seen], held_beside)
