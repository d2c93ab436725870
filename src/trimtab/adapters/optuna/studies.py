"""`trimtab.ports.studies.Studies` over Optuna's ask-and-tell, in one SQLite file.

Samplers are made anew for each trial, seeded by its place, the first that no trial has: a sampler's own generator
would begin again after a resumption and draw the first trials twice.
"""

import json
import shutil
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np

from trimtab.api.errors import ExtraMissing, SurroundingsFailed
from trimtab.api.search import Parameter
from trimtab.ports.studies import Asked, Candidate, Ended, Settings, Space, State, Tried

if TYPE_CHECKING:
    import optuna

STARTUP: Final = 4
"""Complete trials before any is given up, and drawn at random before the sampler learns from them."""
LEAST_FOR_IMPORTANCE: Final = 8
HALVING: Final = 2
"""Of the trials that come to a rung of ASHA one in so many goes on; rungs are after 1, 2, 4, … folds."""
FAMILY: Final = "family"
PLACE, CHOSEN, ENDED = "place", "candidate", "ended"
SPENT, NOTE = "spent_s", "note"
STATES: Final[Mapping[State, str]] = {"complete": "COMPLETE", "pruned": "PRUNED", "failed": "FAIL"}


class OptunaStudies:
    """`trimtab.ports.studies.Studies`.

    Args:
        file: the SQLite file; made with its folder where it is not.
        lock: in the file's folder, which is of these studies alone then; it is held until they are cleared, or gone.
    """

    def __init__(self, file: Path, lock: BinaryIO | None = None) -> None:
        self._file, self._lock = file, lock

    def clear(self) -> None:
        if self._lock is None:
            self._file.unlink(missing_ok=True)
            return
        shutil.rmtree(self._file.parent, ignore_errors=True)
        self._lock.close()

    def open(self, name: str, settings: Settings) -> "OptunaStudy":
        try:
            import optuna
        except ImportError as error:
            raise ExtraMissing("search", "search:") from error
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with failures(self._file):
            study = optuna.create_study(
                storage=optuna.storages.RDBStorage(f"sqlite:///{self._file.resolve()}"),
                study_name=name,
                direction="maximize" if settings.greater_is_better else "minimize",
                load_if_exists=True,
                pruner=_pruner(settings),
            )
            for broken in study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.RUNNING,)):
                study.tell(broken.number, state=optuna.trial.TrialState.FAIL)
            return OptunaStudy(study, settings, self._file)


class OptunaStudy:
    """`trimtab.ports.studies.Study`."""

    def __init__(self, study: "optuna.Study", settings: Settings, file: Path) -> None:
        self._study, self._settings, self._file = study, settings, file
        self._before_s = float(study.user_attrs.get(SPENT, 0.0))
        self._at_work: dict[int, optuna.Trial] = {}

    @property
    def tried(self) -> Sequence[Tried]:
        return [_tried(one) for one in self._ended()]

    @property
    def spent_s(self) -> float:
        with failures(self._file):
            return float(self._study.user_attrs.get(SPENT, 0.0))

    @property
    def note(self) -> str:
        with failures(self._file):
            return str(self._study.user_attrs.get(NOTE, ""))

    def remember(self, note: str) -> None:
        with failures(self._file):
            self._study.set_user_attr(NOTE, note)

    def ask_own(self) -> Asked:
        with failures(self._file):
            trial = self._begun(self._study.ask(), place=0)
        return Asked(trial.number, None)

    def ask(self, space: Space, points: Sequence[Candidate] | None = None) -> Asked:
        place = self._free_place()
        with failures(self._file), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Optuna calls its groups of conditional parameters experimental
            self._study.sampler = _sampler(self._settings, place, others=bool(self._at_work))
            if points is not None:
                self._study.enqueue_trial(_written(points[place - 1], space))
            trial = self._begun(self._study.ask(), place)
            families = list(space)
            family = trial.suggest_categorical(FAMILY, families) if len(families) > 1 else families[0]
            params = {name: _suggested(trial, f"{family}.{name}", one) for name, one in space[family].items()}
            trial.set_user_attr(CHOSEN, {FAMILY: family, "params": params})
        return Asked(trial.number, Candidate(family, params))

    def report(self, number: int, step: int, value: float, spent_s: float) -> bool:
        trial = self._at_work[number]
        with failures(self._file):
            trial.report(value, step)
            self._study.set_user_attr(SPENT, self._before_s + spent_s)
            if self._settings.pruner != "median":
                return trial.should_prune()
            # Optuna's median pruner takes a trial by the best of all its reports: an easy first fold would save it
            return self._study.pruner.prune(self._study, _now(step, value))

    def tell(self, number: int, ended: Ended, spent_s: float) -> Tried:
        import optuna

        said = {
            "state": ended.state,
            "folds": [float(value) for value in ended.folds],
            "seconds": ended.seconds,
            "because": ended.because,
            "run_id": ended.run_id,
        }
        trial = self._at_work.pop(number)
        with failures(self._file):
            trial.set_user_attr(ENDED, said)
            told = self._study.tell(trial, ended.value, state=optuna.trial.TrialState[STATES[ended.state]])
            self._study.set_user_attr(SPENT, self._before_s + spent_s)
        return _tried(told)

    def _begun(self, trial: "optuna.Trial", place: int) -> "optuna.Trial":
        trial.set_user_attr(PLACE, place)
        self._at_work[trial.number] = trial
        return trial

    def _free_place(self) -> int:
        """The first that no trial has which has ended or is at work."""
        taken = {one.user_attrs[PLACE] for one in (*self._ended(), *self._at_work.values())}
        return next(place for place in range(len(taken) + 1) if place not in taken)

    def _ended(self) -> "list[optuna.trial.FrozenTrial]":
        with failures(self._file):
            trials = self._study.get_trials(deepcopy=False)
        return [one for one in trials if one.state.name == _told(one)]

    def importances(self) -> Mapping[str, float]:
        import optuna

        drawn = [one for one in self.tried if one.state == "complete" and one.candidate is not None]
        if len(drawn) < LEAST_FOR_IMPORTANCE or len({one.value for one in drawn}) < 2:
            return {}
        with failures(self._file), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return optuna.importance.get_param_importances(self._study)


def _pruner(settings: Settings) -> "optuna.pruners.BasePruner":
    from optuna import pruners

    if settings.pruner == "median":
        return pruners.MedianPruner(n_startup_trials=STARTUP, n_min_trials=STARTUP)
    if settings.pruner == "hyperband":
        return pruners.HyperbandPruner(settings.first_fold, settings.last_fold)
    if settings.pruner == "asha":
        return pruners.SuccessiveHalvingPruner(settings.first_fold, reduction_factor=HALVING)
    return pruners.NopPruner()


def _now(step: int, value: float) -> "optuna.trial.FrozenTrial":
    """A trial that has told of nothing but this."""
    from optuna.trial import TrialState, create_trial

    return create_trial(state=TrialState.RUNNING, intermediate_values={step: value})


def _sampler(settings: Settings, place: int, *, others: bool) -> "optuna.samplers.BaseSampler":
    """
    Args:
        others: whether trials are at work, near which nothing is to be drawn.
    """
    from optuna import samplers

    seed = int(np.random.SeedSequence([settings.seed, place]).generate_state(1)[0])
    if settings.sampler == "tpe":
        return samplers.TPESampler(seed=seed, n_startup_trials=STARTUP + 1, group=True, constant_liar=others)
    return samplers.RandomSampler(seed=seed)


def _suggested(trial: "optuna.Trial", name: str, parameter: Parameter) -> Any:
    if parameter.choices is not None:
        by_text = {_text(one): one for one in parameter.choices}
        return by_text[trial.suggest_categorical(name, list(by_text))]
    low, high, step, log = parameter.low, parameter.high, parameter.step, parameter.log
    assert low is not None
    assert high is not None
    if parameter.whole:
        return trial.suggest_int(name, int(low), int(high), step=int(step or 1), log=log)
    return trial.suggest_float(name, low, high, step=step, log=log)


def _text(choice: Any) -> str:
    """Optuna takes no lists for a choice, and takes 1 and True for one."""
    return json.dumps(choice)


def _written(wanted: Candidate, space: Space) -> dict[str, Any]:
    params = {
        f"{wanted.family}.{name}": _text(value) if space[wanted.family][name].choices is not None else value
        for name, value in wanted.params.items()
    }
    return {FAMILY: wanted.family, **params} if len(space) > 1 else params


def _told(trial: "optuna.trial.FrozenTrial") -> str | None:
    """Optuna's name of the state that `tell` was given; None for a trial at work, or broken off."""
    said = trial.user_attrs.get(ENDED)
    return STATES[said["state"]] if said else None


def _tried(trial: "optuna.trial.FrozenTrial") -> Tried:
    said, chosen = trial.user_attrs[ENDED], trial.user_attrs.get(CHOSEN)
    state: State = said["state"]
    return Tried(
        number=trial.number,
        candidate=Candidate(chosen[FAMILY], chosen["params"]) if chosen else None,
        state=state,
        value=trial.value if state == "complete" else None,
        folds=tuple(said["folds"]),
        seconds=float(said["seconds"]),
        because=str(said["because"]),
        run_id=str(said["run_id"]),
    )


@contextmanager
def failures(file: Path) -> Iterator[None]:
    """What the file does not let happen, as SurroundingsFailed."""
    from optuna.exceptions import StorageInternalError
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (SQLAlchemyError, StorageInternalError, OSError) as error:
        cause = str(error.__cause__ or error).strip().splitlines()[0]
        raise SurroundingsFailed(
            f"{file}: the search's study cannot be read or written ({cause})",
            remedy="see that its disk has room; if the file is damaged, remove it, and the search begins anew",
        ) from error
