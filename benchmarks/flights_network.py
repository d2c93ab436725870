"""Which is better on the flights: gradient boosting as the example has it, or its network.py?

    python benchmarks/flights_network.py [--quick]     # about five minutes

Each is fitted on the mature rows of a span and asked about a later month. ROC AUC / log loss are means over five seeds
of the network, with the standard deviation of one seed in brackets; boosting has no draws below 200,000 rows, and the
example's seed above. The differences are those of the gates, over the same flights and blocked by local day
(`trimtab.quality.gates.paired_difference`): means over seeds, with 95 % intervals from the mean standard error of a
seed. An interval speaks for other days of such a month, not for another year.
"""

import argparse
from collections.abc import Sequence

import numpy as np
from beside import table, versions
from flights_world import EXAMPLE, World, day_number
from run import machine

from trimtab.features.schema import Field
from trimtab.quality.gates import Difference, paired_difference
from trimtab.quality.metrics import METRICS
from trimtab.steps.fitting.contract import ModelSource, built, file_source, fitted
from trimtab.steps.fitting.families import FAMILIES
from trimtab.steps.fitting.preprocessing import fit_preprocessing

SHOWN = ("roc_auc", "log_loss")
SEEDS = 5
ASKED = (
    ("2013-01-01", "2013-04-01", ("2013-04", "2013-07")),
    ("2013-01-01", "2013-07-01", ("2013-07",)),
    ("2013-09-01", "2013-12-01", ("2013-12",)),
    ("2013-01-01", "2013-12-01", ("2013-12",)),
)
TO_BEAT = "January to June, asked in July: 0.754 / 0.534"
"""Of gradient boosting with other features, measured before the example was made."""


def answers(
    world: World, source: ModelSource, first: str, until: str, seeds: Sequence[int]
) -> list[np.ndarray]:
    """By seed, probabilities for all rows from the day `until` on, by a run at its start; NaN before."""
    end = day_number(until) - world.mature + 1
    taught = world.known & (world.days >= day_number(first)) & (world.days < end)
    asked = world.days >= end
    fields = tuple(Field(n, "string" if v.dtype == object else "number") for n, v in world.features.items())
    training = {name: values[taught] for name, values in world.features.items()}
    steps = fit_preprocessing(fields, training, world.labels[taught], "binary")
    schema, learned = steps.schema("binary", ("False", "True")), steps.matrix(training)
    matrix = steps.matrix({name: values[asked] for name, values in world.features.items()})
    found = []
    for seed in seeds:
        estimator = built(source, schema, seed, world.project.training)
        fitted(source.name, estimator, learned, world.labels[taught], None)
        found.append(np.full(len(world.labels), np.nan))
        found[-1][asked] = estimator.predict_proba(matrix)[:, 1]
    return found


def scored(world: World, found: Sequence[np.ndarray], rows: np.ndarray) -> str:
    """Means over seeds, and a seed's standard deviation where there are several."""
    cells = []
    for name in SHOWN:
        values = [METRICS[name].compute(world.labels[rows], one[rows]) for one in found]
        spread = f" ({np.std(values, ddof=1):.3f})" if len(values) > 1 else ""
        cells.append(f"{np.mean(values):.3f}{spread}")
    return " / ".join(cells)


def better_by(
    world: World, name: str, network: Sequence[np.ndarray], boosting: np.ndarray, rows: np.ndarray
) -> str:
    """How much better the network is, with its interval."""
    found = [
        paired_difference(METRICS[name], world.labels[rows], one[rows], boosting[rows], world.days[rows])
        for one in network
    ]
    mean, error = (
        float(np.mean([getattr(one, part) for one in found])) for part in ("mean", "standard_error")
    )
    worst, best = Difference(mean, error, found[0].days).interval[::-1]
    return f"{-mean:+.4f} [{-worst:+.4f}, {-best:+.4f}]"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    world = World.read()
    family, first_seed = world.project.model, world.project.training.seed
    boosting = ModelSource(FAMILIES[family.family], family.family, "", family.params)
    network = file_source(EXAMPLE / "network.py")
    months = world.times.astype("datetime64[M]")
    rows = []
    for first, until, asked in ASKED[:1] if quick else ASKED:
        held = answers(world, boosting, first, until, [first_seed])
        beside = answers(
            world, network, first, until, range(first_seed, first_seed + (2 if quick else SEEDS))
        )
        for month in asked:
            judged = world.known & (months == np.datetime64(month))
            differences = [better_by(world, name, beside, held[0], judged) for name in SHOWN]
            rows.append(
                [f"{first[5:7]} to {int(until[5:7]) - 1:02}", month, scored(world, held, judged),
                 scored(world, beside, judged), *differences]
            )  # fmt: skip
    heads = ["learned from months", "asked in", "gradient boosting", "network.py", "network better by, AUC",
             "network better by, log loss"]  # fmt: skip
    print(table(heads, rows))
    print(f"\nTo beat: {TO_BEAT}.\n\n{versions('torch', 'scikit-learn', 'numpy')}\n{machine()}")


if __name__ == "__main__":
    main()
