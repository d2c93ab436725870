"""An order through kubectl is decided anew when somebody wrote meanwhile, and never about another revision."""

from typing import Any

import pytest

from trimtab.adapters.kubectl import MovedOn
from trimtab.api.resources import Act
from trimtab.cli import kubectl as plugin


class Busy:
    """A cluster whose operator writes the rollout after each of the first `writes` reads.

    Args:
        candidates: the revision in flight, read by read; the last one stays.
    """

    def __init__(self, writes: int, candidates: tuple[str, ...] = ("bbbbbbbb",)) -> None:
        self._writes, self._candidates = writes, list(candidates)
        self._version = 1
        self.acts: list[Act] = []

    def user(self) -> str:
        return "admin"

    def get(self, resource: str, name: str) -> dict[str, Any]:
        revision = self._candidates.pop(0) if len(self._candidates) > 1 else self._candidates[0]
        candidate = {"revision": revision, "version": "2", "uri": "pvc://models/v2", "digest": "b" * 64}
        self._read = self._version
        if self._writes:
            self._writes -= 1
            self._version += 1
        return {
            "apiVersion": "trimtab.dev/v1alpha1",
            "kind": "ModelRollout",
            "metadata": {"name": name, "namespace": "shop", "resourceVersion": str(self._read)},
            "spec": {
                "model": {"uri": "pvc://models/v1", "version": "1"},
                "modelName": "flights",
                "serving": {"template": {"predictor": {"model": {"modelFormat": {"name": "onnx"}}}}},
                "route": {"parentRefs": [{"name": "public"}]},
            },
            "status": {"phase": "Canary", "candidate": candidate},
        }

    def annotate(self, resource: str, name: str, key: str, value: str, version: str) -> None:
        if version != str(self._version):
            raise MovedOn("the object has been modified")
        self.acts.append(Act.parse(value))


def test_writes_in_between_are_no_reason_to_fail(capsys: pytest.CaptureFixture[str]) -> None:
    cluster: Any = Busy(writes=plugin.LOOKS - 1)
    plugin._order(cluster, "flights", "abort")
    [act] = cluster.acts
    assert (act.verb.value, act.revision, act.by) == ("abort", "bbbbbbbb", "admin")
    assert "ordered abort of bbbbbbbb" in capsys.readouterr().out


def test_one_that_is_written_all_the_time_is_given_up() -> None:
    cluster: Any = Busy(writes=plugin.LOOKS)
    with pytest.raises(MovedOn, match="modified"):
        plugin._order(cluster, "flights", "abort")
    assert cluster.acts == []


def test_an_order_is_never_about_a_revision_that_the_person_did_not_mean() -> None:
    cluster: Any = Busy(writes=1, candidates=("bbbbbbbb", "cccccccc"))
    with pytest.raises(MovedOn, match="cccccccc"):
        plugin._order(cluster, "flights", "abort")
    assert cluster.acts == []
