"""What can be wrong with sketches."""

from trimtab.api.errors import DataRefused


class GridsDiffer(DataRefused):
    """Two sketches count on different grids, so their counts cannot be added or compared."""

    def __init__(self, column: str, one: str, other: str) -> None:
        super().__init__(
            f"sketches of column '{column}' count on different grids ({one} and {other})",
            remedy="sketch both with the grid of one profile",
        )
        self.column = column


class SketchUnreadable(DataRefused):
    """Bytes are not a sketch that this version reads."""

    def __init__(self, because: str) -> None:
        super().__init__(f"these bytes are not a sketch: {because}", remedy="sketch the column again")


class ColumnNotNumeric(DataRefused):
    """A column that the grid counts as numbers holds something else."""

    def __init__(self, column: str, held: str = "texts") -> None:
        super().__init__(
            f"column '{column}' is a number in the reference but holds {held} now",
            remedy="cast it where it is read, or learn the profile again",
        )
        self.column = column
