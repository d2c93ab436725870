"""How each program is built from its Go module."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tests.cluster.kube import versions
from tests.cluster.kube.errors import ClusterToolFailed

WRAPPERS: Final = Path(__file__).parent / "mod"


@dataclass(frozen=True, slots=True)
class Recipe:
    """One build.

    Attributes:
        module: where the source is; "" where a wrapper module of ours says so.
        wrapper: folder under `mod/`; "" to build inside the module itself, so that its own replaces apply.
        programs: file name → package.
        links: further name → the program that it is: one binary that asks for its own name.
        expected_s: from empty caches on two cores.
    """

    name: str
    version: str
    programs: Mapping[str, str]
    expected_s: int = field(repr=False)
    module: str = ""
    wrapper: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    ldflags: str = "-s -w"
    tags: str = ""
    seccomp: bool = False

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self.programs) | frozenset(self.links)


KUBERNETES_PROGRAMS: Final = (
    "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kubelet", "kube-proxy", "kubectl",
)  # fmt: skip


def kubernetes_ldflags() -> str:
    major, minor, _ = versions.KUBERNETES.removeprefix("v").split(".")
    stamps = {
        "gitVersion": versions.KUBERNETES, "gitMajor": major, "gitMinor": minor,
        "gitTreeState": "clean", "buildDate": "2026-08-20T00:00:00Z",
    }  # fmt: skip
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return " ".join(["-s -w", *(f"-X {p}.{key}={value}" for p in packages for key, value in stamps.items())])


def kserve(program: str, package: str, expected_s: int) -> Recipe:
    return Recipe(program, versions.KSERVE, {program: package}, expected_s, module="github.com/kserve/kserve")


RECIPES: Final = (
    Recipe(
        "etcd", versions.ETCD, {"etcd": "go.etcd.io/etcd/server/v3"}, 45, wrapper="etcd"
    ),
    Recipe(
        "kubernetes",
        versions.KUBERNETES,
        {"kube": "."},
        320,
        wrapper="kubernetes",
        links=dict.fromkeys(KUBERNETES_PROGRAMS, "kube"),
        ldflags=kubernetes_ldflags(),
    ),
    Recipe(
        "containerd",
        versions.CONTAINERD,
        {name: f"./cmd/{name}" for name in ("containerd", "ctr", "containerd-shim-runc-v2")},
        50,
        module="github.com/containerd/containerd/v2",
        ldflags=f"-s -w -X github.com/containerd/containerd/v2/version.Version={versions.CONTAINERD}",
        tags="no_btrfs no_devmapper no_zfs",
    ),
    Recipe(
        "cni",
        versions.CNI_PLUGINS,
        {
            "bridge": "./plugins/main/bridge",
            "loopback": "./plugins/main/loopback",
            "host-local": "./plugins/ipam/host-local",
            "portmap": "./plugins/meta/portmap",
        },
        10,
        module="github.com/containernetworking/plugins",
    ),
    Recipe(
        "runc",
        versions.RUNC,
        {"runc": "."},
        15,
        module="github.com/opencontainers/runc",
        ldflags=f"-s -w -X main.version={versions.RUNC.removeprefix('v')}",
        tags="seccomp",
        seccomp=True,
    ),
    Recipe("pause", "1", {"pause": "."}, 2, wrapper="pause"),
    Recipe("coredns", versions.COREDNS, {"coredns": "."}, 110, module="github.com/coredns/coredns"),
    Recipe(
        "kube-router",
        versions.KUBE_ROUTER,
        {"kube-router": "./cmd/kube-router"},
        120,
        module="github.com/cloudnativelabs/kube-router/v2",
    ),
    kserve("kserve-manager", "./cmd/manager", 130),
    kserve("kserve-agent", "./cmd/agent", 30),
    Recipe(
        "kuberay-operator",
        versions.KUBERAY,
        {"kuberay-operator": "."},
        180,
        module="github.com/ray-project/kuberay/ray-operator",
    ),
    Recipe(
        "kueue",
        versions.KUEUE,
        {"kueue": "./cmd/kueue"},
        250,
        module="sigs.k8s.io/kueue",
    ),
    Recipe("kwok", versions.KWOK, {"kwok": "./cmd/kwok"}, 65, module="sigs.k8s.io/kwok"),
    Recipe("helm", versions.HELM, {"helm": "./cmd/helm"}, 115, module="helm.sh/helm/v4"),
    Recipe(
        "kubeconform",
        versions.KUBECONFORM,
        {"kubeconform": "./cmd/kubeconform"},
        10,
        module="github.com/yannh/kubeconform",
    ),
    Recipe(
        "promtool",
        versions.PROMETHEUS,
        {"promtool": "./cmd/promtool"},
        150,
        module="github.com/prometheus/prometheus",
        tags="remove_all_sd",
    ),
    Recipe(
        "envoy-gateway",
        versions.ENVOY_GATEWAY,
        {"envoy-gateway": "./cmd/envoy-gateway"},
        120,
        module="github.com/envoyproxy/gateway",
    ),
)  # fmt: skip


def recipe_of(program: str) -> Recipe:
    """
    Raises:
        ClusterToolFailed: nobody knows how to build it.
    """
    for recipe in RECIPES:
        if program in recipe.names or program == recipe.name:
            return recipe
    known = sorted({name for recipe in RECIPES for name in recipe.names})
    raise ClusterToolFailed(f"there is no program '{program}' to build", remedy=f"one of {', '.join(known)}")
