"""Source files of this machine and of installed distributions, unpacked while they are read."""

from trimtab.adapters.files.local import LocalFiles

__all__ = ["LocalFiles"]
