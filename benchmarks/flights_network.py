"""Which is better on the flights: gradient boosting as the example has it, or its network.py?

    python benchmarks/flights_network.py     # about a minute

Each is fitted on the mature rows of a span and asked about a later month: ROC AUC / log loss.
"""

import numpy as np
from beside import table
from flights_world import EXAMPLE, World, day_number

from trimtab.features.schema import Field
from trimtab.quality.metrics import METRICS
from trimtab.steps.fitting.contract import ModelSource, built, file_source, fitted
from trimtab.steps.fitting.families import FAMILIES
from trimtab.steps.fitting.preprocessing import fit_preprocessing

SHOWN = ("roc_auc", "log_loss")
ASKED = (
    ("2013-01-01", "2013-04-01", ("2013-04", "2013-07")),
    ("2013-01-01", "2013-07-01", ("2013-07",)),
    ("2013-09-01", "2013-12-01", ("2013-12",)),
    ("2013-01-01", "2013-12-01", ("2013-12",)),
)


def answers(world: World, source: ModelSource, first: str, until: str) -> np.ndarray:
    """Probabilities for all rows from the day `until` on, by a run at its start; NaN before."""
    end = day_number(until) - world.mature + 1
    taught = world.known & (world.days >= day_number(first)) & (world.days < end)
    asked = world.days >= end
    fields = tuple(Field(n, "string" if v.dtype == object else "number") for n, v in world.features.items())
    training = {name: values[taught] for name, values in world.features.items()}
    steps = fit_preprocessing(fields, training, world.labels[taught], "binary")
    how = world.project.training
    estimator = built(source, steps.schema("binary", ("False", "True")), how.seed, how)
    fitted(source.name, estimator, steps.matrix(training), world.labels[taught], None)
    found = np.full(len(world.labels), np.nan)
    matrix = steps.matrix({name: values[asked] for name, values in world.features.items()})
    found[asked] = estimator.predict_proba(matrix)[:, 1]
    return found


def main() -> None:
    world = World.read()
    family = world.project.model
    boosting = ModelSource(FAMILIES[family.family], family.family, "", family.params)
    network = file_source(EXAMPLE / "network.py")
    months = world.times.astype("datetime64[M]")
    rows = []
    for first, until, asked in ASKED:
        found = [answers(world, source, first, until) for source in (boosting, network)]
        for month in asked:
            judged = world.known & (months == np.datetime64(month))
            cells = [
                " / ".join(
                    f"{METRICS[name].compute(world.labels[judged], one[judged]):.3f}" for name in SHOWN
                )
                for one in found
            ]
            rows.append([f"{first[5:7]} to {int(until[5:7]) - 1:02}", month, *cells])
    print(table(["learned from months", "asked in", "gradient boosting", "network.py"], rows))


if __name__ == "__main__":
    main()
