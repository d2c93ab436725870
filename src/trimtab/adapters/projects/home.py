"""Where a project keeps what it makes: the layout of `.trimtab/`."""

from dataclasses import dataclass
from pathlib import Path

FOLDER = ".trimtab"


@dataclass(frozen=True, slots=True)
class Home:
    """The folder `.trimtab/` of one project; nothing here touches the disk."""

    path: Path

    @classmethod
    def of(cls, project_folder: Path) -> "Home":
        return cls(project_folder.resolve() / FOLDER)

    @property
    def tables(self) -> Path:
        return self.path / "tables"

    @property
    def mlflow(self) -> Path:
        return self.path / "mlflow"

    @property
    def models(self) -> Path:
        return self.path / "models"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    @property
    def searches(self) -> Path:
        return self.path / "searches"

    @property
    def bundles(self) -> Path:
        return self.path / "bundles"

    @property
    def online(self) -> Path:
        return self.path / "online.db"

    @property
    def runs(self) -> Path:
        return self.path / "runs"

    @property
    def plane(self) -> Path:
        return self.path / "plane"

    @property
    def collector(self) -> Path:
        return self.path / "collector"

    @property
    def state(self) -> Path:
        return self.path / "state.db"

    @property
    def demo(self) -> Path:
        return self.path / "demo"
