"""Provenance: all that made a model, written down while it is made, so that it can be made again to the bit.

It lies in the run's folder, with the MLflow run, and in the model folder's manifest.json: it goes where the model goes.
"""

from typing import Any, Final, Literal

from pydantic import Field

from trimtab.api.values import Stored

PROVENANCE: Final = "provenance.json"


class DataVersion(Stored):
    """One version of one table.

    Attributes:
        digest: of its content, hex.
        step: that wrote it: ingest, build, validate, featurize.
        files: that a source was read from; the first and last of many.
        reads: what it was made of: `table@version` by the name that its reader uses.
    """

    table: str
    version: int
    rows: int
    digest: str
    step: str = ""
    files: tuple[str, ...] = ()
    reads: dict[str, str] = Field(default_factory=dict)

    @property
    def key(self) -> str:
        return f"{self.table}@{self.version}"


class Bundle(Stored):
    """The project's files.

    Attributes:
        name: of the bundle's folder or archive; it ends in the digest's first 16 digits.
        files: sha256 by file, hex.
    """

    name: str
    digest: str
    files: dict[str, str] = Field(default_factory=dict)


class Code(Stored):
    """Where the project's files were taken from. False where nothing is known of it.

    Attributes:
        commit: of the checkout that they were packed in; "" outside one.
        changed: they differ from those of the commit.
    """

    commit: str = ""
    changed: bool = False

    @classmethod
    def of(cls, text: str) -> "Code":
        """Read back what `str` wrote.

        >>> Code.of("8c1f+changes")
        Code(commit='8c1f', changed=True)
        """
        commit, _, changes = text.partition("+")
        return cls(commit=commit, changed=bool(changes))

    def __str__(self) -> str:
        return f"{self.commit}{'+changes' if self.changed else ''}"

    def __bool__(self) -> bool:
        return bool(self.commit)


class Lock(Stored):
    """The project's lock file: what was asked to be installed. False where it has none.

    Attributes:
        file: its name, beside trimtab.yaml.
        digest: sha256 of its bytes, hex.
    """

    file: str = ""
    digest: str = ""

    def __bool__(self) -> bool:
        return bool(self.file)


class Libraries(Stored):
    """What was installed.

    Attributes:
        digest: over all packages, hex; the tag `trimtab.lock` of run and version.
        trimtab: sha256 over trimtab's own sources, hex.
        packages: version by name.
    """

    digest: str
    python: str
    trimtab: str
    packages: dict[str, str] = Field(default_factory=dict)


class Hardware(Stored):
    """What the model was fitted on.

    Attributes:
        cores: that the process might use.
        accelerators: the name of each that this machine has, in its driver's order.
        devices: on which each process of a network learned, by rank: a GPU's name, or `cpu` with the instructions that
            torch makes use of; empty for other models.
        workers: where those processes were, if there was more than one: `here`, `ray` for the cluster that RAY_ADDRESS
            named, `kuberay` for pods of their own.
    """

    cpu: str
    architecture: str
    cores: int
    memory_bytes: int
    accelerators: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    workers: Literal["", "here", "ray", "kuberay"] = ""


class Determinism(Stored):
    """What decides between results that are equally right.

    Attributes:
        seed: training.seed.
        variables: of the environment, as they were set: threads, hash seed, CUDA's workspace.
        threads: of each pool while the model learned, by its interface: openmp, blas, torch.
        torch: its own switches while a network learned; empty for other models.
    """

    seed: int
    variables: dict[str, str] = Field(default_factory=dict)
    threads: dict[str, str] = Field(default_factory=dict)
    torch: dict[str, str] = Field(default_factory=dict)


class Chosen(Stored):
    """What a search chose, so that the model can be fitted again without the search.

    Attributes:
        family: of the model; "" for the project's model.py.
        params: all that the model was built with.
        trial: its number; 0 is the project's own model.
        trials: how many had ended.
        seed: by which candidates were drawn.
        metric, value: by which it was chosen, and its mean over folds.
    """

    family: str
    params: dict[str, Any] = Field(default_factory=dict)
    trial: int
    trials: int
    seed: int
    metric: str
    value: float


class Results(Stored):
    """Digests of what was made, in the order in which it was made; "" for what was not.

    Attributes:
        trained: answers on the validation rows, of the model that was judged.
        fitted: answers of the model that was exported, on up to 10,000 rows, before its export.
        files: sha256 of each file of the model folder.
        exported: the model folder's.
        predictions: answers of the exported file on the same rows, by ONNX Runtime.
    """

    trained: str = ""
    fitted: str = ""
    files: dict[str, str] = Field(default_factory=dict)
    exported: str = ""
    predictions: str = ""


class Provenance(Stored):
    """All that made one model.

    Attributes:
        run: the MLflow run's id; "" where nothing is tracked.
        until, window: of the pipeline run, as it was started.
        refitted: the exported model is the tested one, fitted anew on all rows.
        quantized: static or dynamic, where the 8-bit form passed the gates and was exported; else "".
        pruned: the share of hidden units that was left out of what was exported; 0 for none.
        chosen: by a search; None where there was none.
        data: every table version that was read, each after those that it was made of; the features come last.
        image: of the container, with its digest, where it says so.
    """

    project: str
    run: str = ""
    recorded_at: str
    until: str
    window: str = ""
    refitted: bool = False
    quantized: Literal["", "dynamic", "static"] = ""
    pruned: float = 0.0
    chosen: Chosen | None = None
    bundle: Bundle
    code: Code
    data: tuple[DataVersion, ...]
    lock: Lock = Lock()
    libraries: Libraries
    image: str = ""
    hardware: Hardware
    determinism: Determinism
    results: Results = Results()

    @property
    def features(self) -> DataVersion:
        return self.data[-1]

    def version(self, key: str) -> DataVersion:
        """One of `data`, by its key."""
        return next(one for one in self.data if one.key == key)

    def sources(self) -> dict[str, DataVersion]:
        """The versions that ingest had left, by the name that SQL and VIEWS use."""
        found = {}
        for name, key in self.features.reads.items():
            held = self.version(key)
            while held.step == "validate":
                held = self.version(next(iter(held.reads.values())))
            if held.step == "ingest":
                found[name] = held
        return found

    def tags(self) -> dict[str, str]:
        """The short of it, for the registry and MLflow."""
        return {
            "trimtab.bundle": self.bundle.name,
            "trimtab.commit": str(self.code),
            "trimtab.lock": self.libraries.digest,
            "trimtab.lock.file": self.lock.file,
            "trimtab.lock.file.digest": self.lock.digest,
            "trimtab.image": self.image,
            "trimtab.hardware": ", ".join(
                [f"{self.hardware.cores} x {self.hardware.cpu}", *self.hardware.accelerators]
            ),
            "trimtab.devices": ", ".join(self.hardware.devices),
        }

    def to_json(self) -> str:
        return self.model_dump_json(by_alias=True, indent=1) + "\n"

    def to_dict(self) -> dict[str, Any]:
        """As plain JSON values."""
        return self.model_dump(mode="json", by_alias=True)

    @classmethod
    def from_json(cls, text: str | bytes) -> "Provenance":
        """
        Raises:
            ValueError: it is no provenance.
        """
        return cls.model_validate_json(text)
