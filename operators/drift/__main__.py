"""`python -m operators.drift`."""

import sys

from operators.drift.main import main

sys.exit(main())
