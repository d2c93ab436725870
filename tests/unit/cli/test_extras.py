"""What an import that is missing becomes."""

import re
import tomllib
from pathlib import Path

import pytest

from trimtab.api.errors import ExitStatus
from trimtab.cli.extras import EXTRA_OF, missing

DECLARED = tomllib.loads((Path(__file__).resolve().parents[3] / "pyproject.toml").read_text())["project"]


@pytest.mark.parametrize(
    ("module", "extra"),
    [("deltalake", "local"), ("sklearn.ensemble", "local"), ("torch", "torch"), ("numba", "fast")],
)
def test_it_names_what_to_install(module, extra):
    error = missing(ModuleNotFoundError(f"No module named '{module}'", name=module))
    assert error.status is ExitStatus.INPUT
    assert error.remedy == f"pip install 'trimtab[{extra}]'"


@pytest.mark.parametrize("module", ["trimtab.nothing", "yaml", ""])
def test_a_module_of_no_extra_is_our_bug(module):
    assert missing(ModuleNotFoundError("No module", name=module)) is None


def test_every_extra_that_it_names_is_declared():
    assert set(EXTRA_OF.values()) <= set(DECLARED["optional-dependencies"])


def test_no_module_of_the_bare_wheel_is_an_extras():
    bare = {re.split(r"[><=]", line)[0] for line in DECLARED["dependencies"]}
    assert not bare & set(EXTRA_OF)
