"""What travels with the wheel beside the library: components/, pipelines/ and examples/flights."""

from pathlib import Path


def path() -> Path:
    """The folder that holds components/, pipelines/ and examples/.

    The wheel carries them under `trimtab/bundled/`; an editable install has no such folder, so there it is
    the repository's root.
    """
    here = Path(__file__).parent
    carried = here / "bundled"
    return carried if carried.is_dir() else here.parent.parent
