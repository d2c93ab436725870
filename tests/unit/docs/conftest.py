"""Beside the tests of pages: the module that reads them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
