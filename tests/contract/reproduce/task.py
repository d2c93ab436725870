"""The train task in a process of its own, as a pod runs it: python task.py BUNDLE UNTIL FEATURES MODEL"""

import sys
from types import SimpleNamespace

from trimtab.bootstrap import component


def main(bundle: str, until: str, features: str, model: str) -> None:
    given, made = (SimpleNamespace(path=path, metadata={}) for path in (features, model))
    component.train(
        bundle, until, "", "", given, made, SimpleNamespace(path="", metadata={}, log_metric=lambda *_: None)
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
