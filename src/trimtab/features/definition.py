"""A project's features, loaded: REQUEST, VIEWS and transform of one features.py, with the file's digest."""

import hashlib
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from trimtab.api.errors import InputRefused
from trimtab.features.columns import Array, Columns, Kind, row_count
from trimtab.features.declaration import Request, View, refuse_clashes


class FeaturesRefused(InputRefused):
    """A features.py that cannot be loaded, or whose transform gave what it must not."""


@dataclass(frozen=True, slots=True)
class FeatureDefinition:
    """What the model sees of an example.

    Attributes:
        request: kind by field sent with each prediction.
        views: tables looked up by its fields.
        transform: Columns to Columns, row by row; None when input is output (timestamps left out).
        digest: sha256 of the file, hex; "" when there is no file.
        path: the file, for messages; "" when there is none.
    """

    request: Request
    views: tuple[View, ...] = ()
    transform: Callable[[Columns], Columns] | None = None
    digest: str = ""
    path: str = ""

    def input_kinds(self, view_kinds: Mapping[str, Mapping[str, Kind]]) -> dict[str, Kind]:
        """Kind by input: REQUEST ∪ VIEWS, in that order.

        Args:
            view_kinds: by view, kind by the table's column (names before renaming).

        Raises:
            FeaturesRefused: a view's table, or a column of it, is not there.
        """
        kinds: dict[str, Kind] = dict(self.request)
        for view in self.views:
            held = view_kinds.get(view.name)
            if held is None:
                raise FeaturesRefused(
                    f"{self.path}: VIEWS names the table '{view.name}', which the project does not have",
                    remedy=f"add it under tables: in trimtab.yaml; there are {', '.join(sorted(view_kinds))}",
                )
            for column, name in view.columns.items():
                if column not in held:
                    raise FeaturesRefused(
                        f"{self.path}: VIEWS names the column '{column}', which table '{view.name}' lacks",
                        remedy=f"the table has {', '.join(held)}",
                    )
                kinds[name] = held[column]
        return kinds

    def features(self, inputs: Columns) -> dict[str, Array]:
        """The model's features of these inputs: float64 or object (str), each shape (rows,).

        Raises:
            FeaturesRefused: transform raised, or answered with other than one value a row.
        """
        if self.transform is None:
            return {name: values for name, values in inputs.items() if values.dtype.kind != "M"}
        try:
            answer = self.transform(inputs)
        except Exception as error:
            raise FeaturesRefused(
                f"{self.path}: transform raised {told(error, self.path)}",
                remedy="trimtab check runs it on 0, 1 and 1,000 rows and shows the line",
            ) from error
        return normalised(answer, row_count(inputs), self.path)


def normalised(answer: object, rows: int, path: str) -> dict[str, Array]:
    """What transform gave, with each column as float64 or object, shape (rows,).

    Raises:
        FeaturesRefused: not a mapping, a wrong length, a second axis, or a timestamp.
    """
    if not isinstance(answer, Mapping) or not answer:
        raise FeaturesRefused(
            f"{path}: transform gave {type(answer).__name__}, not a mapping of name to array",
            remedy='return {"name": array, …}',
        )
    columns: dict[str, Array] = {}
    for name, values in answer.items():
        array = np.asarray(values)
        if array.shape != (rows,):
            raise FeaturesRefused(
                f"{path}: transform gave '{name}' of shape {array.shape} for {rows} rows",
                remedy=f"give one value a row: shape ({rows},)",
            )
        if array.dtype.kind in "fiub":
            columns[str(name)] = array.astype(np.float64, copy=False)
        elif array.dtype.kind in "OUT":
            columns[str(name)] = array.astype(object, copy=False)
        else:
            raise FeaturesRefused(
                f"{path}: transform gave '{name}' as {array.dtype}, which no model takes",
                remedy="turn a time into a number, such as its hour or the minutes since another time",
            )
    return columns


def load_features(path: Path) -> FeatureDefinition:
    """The definition in a features.py. Its module is new at each call: no state is shared between two loads.

    Raises:
        FeaturesRefused: the file is missing, does not run, or lacks REQUEST.
        DeclarationRefused: REQUEST and VIEWS do not fit together.
    """
    try:
        source = path.read_bytes()
    except OSError as error:
        raise FeaturesRefused(
            f"{path}: cannot be read ({error.strerror})",
            remedy="name an existing file under features: in trimtab.yaml",
        ) from error
    digest = hashlib.sha256(source).hexdigest()
    module = ModuleType(f"trimtab_features_{digest[:8]}")
    module.__file__ = str(path)
    try:
        exec(compile(source, str(path), "exec"), module.__dict__)
    except InputRefused as refused:
        raise type(refused)(f"{path}: {refused.message}", remedy=refused.remedy) from refused
    except Exception as error:
        raise FeaturesRefused(f"{path}: {told(error, str(path))}", remedy="mend the file") from error
    return _defined(module, digest, str(path))


def _defined(module: ModuleType, digest: str, path: str) -> FeatureDefinition:
    request = getattr(module, "REQUEST", None)
    views = tuple(getattr(module, "VIEWS", ()))
    transform = getattr(module, "transform", None)
    if not isinstance(request, Request):
        raise FeaturesRefused(
            f"{path}: REQUEST is {'missing' if request is None else 'no Request'}",
            remedy='write REQUEST = Request(name="number", …), from trimtab.features',
        )
    if wrong := [view for view in views if not isinstance(view, View)]:
        raise FeaturesRefused(
            f"{path}: VIEWS holds {wrong[0]!r}, which is no View", remedy="use trimtab.features.View"
        )
    if transform is not None and not callable(transform):
        raise FeaturesRefused(
            f"{path}: transform is no function", remedy="def transform(rows: Columns) -> Columns:"
        )
    refuse_clashes(request, views)
    return FeatureDefinition(request, views, transform, digest, path)


def told(error: Exception, path: str) -> str:
    """The error with the line of the user's own file at which it rose."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    line = lines[-1] if lines else getattr(error, "lineno", None)
    return f"{type(error).__name__}: {error}" + (f" (line {line})" if line else "")
