"""Where programs come from."""

import pytest


@pytest.fixture
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    return tmp_path


def test_given_assets_come_first(empty_cache, monkeypatch):
    from tests.cluster.kube.binaries import CONTROL_PLANE, binary, missing

    assets = empty_cache / "assets"
    assets.mkdir()
    for name in ("etcd", "kube-apiserver", "kubectl"):
        (assets / name).touch()
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(assets))
    assert binary("etcd") == assets / "etcd"
    assert [recipe.name for recipe in missing(("etcd", "kube-apiserver", "kubectl"))] == []
    assert [recipe.name for recipe in missing(CONTROL_PLANE)] == ["kubernetes"]


def test_a_build_that_fails_is_not_taken_for_built(empty_cache):
    from tests.cluster.kube.binaries import build, place_of
    from tests.cluster.kube.errors import ClusterToolFailed
    from tests.cluster.kube.recipes import Recipe

    recipe = Recipe("pause", "1", {"pause": ".", "other": "./nowhere"}, 1, wrapper="pause")
    with pytest.raises(ClusterToolFailed, match="nowhere"):
        build(recipe, place_of(recipe), lambda line: None)
    assert not place_of(recipe).exists()
    assert list(place_of(recipe).parent.iterdir()) == []


def test_a_program_is_built_once_and_said_so(empty_cache):
    from tests.cluster.kube.binaries import binary

    said = []
    built = binary("pause", said.append)
    assert built.stat().st_mode & 0o111
    assert binary("pause", said.append) == built
    assert [line.split()[0] for line in said] == ["building", "built"]


def test_a_program_that_nobody_can_build_is_said_with_those_that_can(empty_cache):
    from tests.cluster.kube.binaries import ensure
    from tests.cluster.kube.errors import ClusterToolFailed

    with pytest.raises(ClusterToolFailed, match=r"no program 'nonsense'[\s\S]*kubelet"):
        ensure(["nonsense"])
