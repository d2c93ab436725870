"""Child processes of one machine: a supervisor that owns them, and the model servers that it runs.

Linux: /proc, pidfd and PR_SET_PDEATHSIG are what makes "nothing left behind" true.
"""

from trimtab.adapters.processes.child import ChildSpec, ChildState, ChildStatus
from trimtab.adapters.processes.control import Control
from trimtab.adapters.processes.servers import LocalServers

__all__ = ["ChildSpec", "ChildState", "ChildStatus", "Control", "LocalServers"]
