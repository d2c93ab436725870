"""A network that workers of Ray learned, made again. A file of its own, since a test has no group beside its file's."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.contract.reproduce.test_fits import NETWORK, SPLIT, project
from tests.contract.reproduce.test_reproduce import change, recorded, reproduced

pytestmark = pytest.mark.xdist_group("ray")


def test_two_workers_that_learned_in_pods_are_made_again_here_to_the_bit(
    run_once: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pods are played by processes of a local Ray, which the record calls pods."""
    monkeypatch.setenv("TRIMTAB_WHERE", "here")
    split = SPLIT.replace("}", ", refit: false}")  # which would start Ray twice more
    own = project(SPLIT, f"{split}, epochs: 2, batchRows: 64, workers: 2, where: kuberay, device: cpu")
    folder = run_once(trimtab_yaml=own, model_py=NETWORK)
    monkeypatch.delenv("TRIMTAB_WHERE")
    change(recorded(folder), '"workers": "here"', '"workers": "kuberay"')
    made = reproduced(folder)
    assert made.identical
    assert [str(one) for one in made.differences] == ["hardware: workers: was kuberay, is here"]
    assert len(made.recorded.hardware.devices) == 2
    assert made.rebuilt.determinism.threads == {"torch": "1"}
