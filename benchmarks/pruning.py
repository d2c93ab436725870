"""Half of a network's hidden weights pruned: by the sparsifiers and pruners of torch.ao, and by `export: {prune: 0.5}`.

    python benchmarks/pruning.py [--quick]     # about three minutes

The ready family `mlp`, of 512 and 256 units, learns the flights of January to June and is asked about July. Nothing is
trained again afterwards. torch.ao's sparsifier is squashed (`squash_mask`) and its pruner pruned before the network is
exported as any other. Each form is asked by ONNX Runtime on one thread, in turn with the others; times are medians of
CPU time over rounds.
"""

import argparse
import copy
import time
from collections.abc import Callable
from statistics import median

import numpy as np
import torch
from beside import table, versions
from flights_world import World, day_number
from run import machine
from torch import nn
from torch.ao.pruning import WeightNormSparsifier
from torch.ao.pruning._experimental.pruner.saliency_pruner import SaliencyPruner

from trimtab.features.schema import Field
from trimtab.quality.metrics import METRICS
from trimtab.steps.fitting.contract import ModelSource, built, fitted
from trimtab.steps.fitting.families import FAMILIES
from trimtab.steps.fitting.graph import exported
from trimtab.steps.fitting.preprocessing import fit_preprocessing
from trimtab.steps.fitting.pruned import pruned
from trimtab.steps.scoring import inputs, session

SHARE = 0.5
HIDDEN = (512, 256)


def hidden(layers: nn.Sequential) -> dict[str, nn.Linear]:
    """The hidden layers by name: all but the last."""
    found = {name: one for name, one in layers.named_children() if isinstance(one, nn.Linear)}
    return dict(list(found.items())[:-1])


def sparsified(layers: nn.Sequential, whole_rows: bool = False, **how: object) -> nn.Sequential:
    """By WeightNormSparsifier, with its mask squashed into the weights."""
    sparsifier = WeightNormSparsifier(**how)
    rows = {
        name: {"sparse_block_shape": (1, one.in_features), "zeros_per_block": one.in_features}
        for name, one in hidden(layers).items()
        if whole_rows
    }
    sparsifier.prepare(
        layers, [{"tensor_fqn": f"{name}.weight", **rows.get(name, {})} for name in hidden(layers)]
    )
    sparsifier.step()
    sparsifier.squash_mask()
    return layers


def narrowed(layers: nn.Sequential, prune_bias: bool) -> nn.Sequential:
    """By SaliencyPruner, which takes whole units out; it knows no dropout between layers."""
    plain = nn.Sequential(*(one for one in layers if not isinstance(one, nn.Dropout)))
    pruner = SaliencyPruner({"sparsity_level": SHARE})
    pruner.prepare(
        plain, [{"tensor_fqn": f"{name}.weight", "prune_bias": prune_bias} for name in hidden(plain)]
    )
    pruner.enable_mask_update = True
    pruner.step()
    return pruner.prune()


FORMS: dict[str, Callable[[nn.Sequential], nn.Sequential]] = {
    "torch.ao WeightNormSparsifier, single weights": lambda layers: sparsified(
        layers, sparsity_level=SHARE, sparse_block_shape=(1, 1), zeros_per_block=1
    ),
    "the same, blocks of 1 x 4": lambda layers: sparsified(
        layers, sparsity_level=SHARE, sparse_block_shape=(1, 4), zeros_per_block=4
    ),
    "the same, whole rows": lambda layers: sparsified(layers, whole_rows=True, sparsity_level=SHARE),
    "torch.ao SaliencyPruner (experimental), as it comes": lambda layers: narrowed(layers, True),
    "the same, biases carried on": lambda layers: narrowed(layers, False),
}


def costs(
    files: dict[str, bytes], fields: tuple[Field, ...], rows: dict[str, np.ndarray], rounds: int
) -> dict:
    """By form, median microseconds of a call of one row, and of 1,000."""
    sessions = {name: session(file) for name, file in files.items()}
    fed = {
        count: inputs(fields, {name: values[:count] for name, values in rows.items()}) for count in (1, 1_000)
    }
    taken: dict = {name: {count: [] for count in fed} for name in files}
    for _ in range(rounds):
        for name, asking in sessions.items():
            for count, calls in ((1, 200), (1_000, 5)):
                began = time.process_time()
                for _ in range(calls):
                    asking.run(None, fed[count])
                taken[name][count].append((time.process_time() - began) / calls * 1e6)
    return {name: {count: median(values) for count, values in each.items()} for name, each in taken.items()}


def zeros(file: bytes) -> float:
    """Share of zeros in the two hidden matrices, which are the largest."""
    import onnx
    from onnx import numpy_helper

    held = [
        numpy_helper.to_array(one)
        for one in onnx.load_from_string(file).graph.initializer
        if len(one.dims) == 2
    ]
    largest = sorted((one for one in held if one.dtype == np.float32), key=lambda one: -one.size)[:2]
    return sum(int((one == 0).sum()) for one in largest) / sum(one.size for one in largest)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    world = World.read()
    first = "2013-06-01" if quick else "2013-01-01"
    taught = (
        world.known
        & (world.days >= day_number(first))
        & (world.days < day_number("2013-07-01") - world.mature + 1)
    )
    asked = world.known & (world.times.astype("datetime64[M]") == np.datetime64("2013-07"))
    fields = tuple(Field(n, "string" if v.dtype == object else "number") for n, v in world.features.items())
    learned = {name: values[taught] for name, values in world.features.items()}
    july = {name: values[asked] for name, values in world.features.items()}
    steps = fit_preprocessing(fields, learned, world.labels[taught], "binary")
    source = ModelSource(FAMILIES["mlp"], "mlp", "", {"hidden": HIDDEN})
    seed = world.project.training.seed
    network = built(source, steps.schema("binary", ("False", "True")), seed, world.project.training)
    fitted("mlp", network, steps.matrix(learned), world.labels[taught], None)

    def file(change: Callable[[nn.Sequential], nn.Sequential] | None = None) -> bytes:
        other = copy.copy(network)
        other.module = copy.deepcopy(network.module).eval()
        if change is not None:
            with torch.no_grad():
                other.module.layers = change(other.module.layers)
        return exported(steps, other, fields, "binary", "mlp")

    files = {"as it is": file(), **{name: file(change) for name, change in FORMS.items()}}
    ours = pruned(files["as it is"], SHARE, fields, learned)
    assert ours is not None
    files["`export: {prune: 0.5}`"] = ours
    taken = costs(files, fields, july, 5 if quick else 15)
    whole, rows = taken["as it is"], []
    for name, one in files.items():
        answers = session(one).run(None, inputs(fields, july))[0][:, -1].astype(np.float64)
        loss, area = (
            METRICS[metric].compute(world.labels[asked], answers) for metric in ("log_loss", "roc_auc")
        )
        cost = taken[name]
        rows.append(
            [name, f"{len(one) / 1024:.1f}", f"{len(one) / len(files['as it is']):.2f}x", f"{zeros(one):.0%}",
             f"{cost[1]:.0f} ({cost[1] / whole[1]:.2f}x)", f"{cost[1_000]:,.0f} ({cost[1_000] / whole[1_000]:.2f}x)",
             f"{area:.4f} / {loss:.4f}"]
        )  # fmt: skip
    heads = ["form", "KiB", "of the whole file", "zeros in hidden matrices", "a row alone, µs", "1,000 rows, µs",
             "ROC AUC / log loss"]  # fmt: skip
    print(table(heads, rows))
    print(f"\n{versions('torch', 'onnxruntime')}\n{machine()}")


if __name__ == "__main__":
    main()
