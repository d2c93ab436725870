"""OpenLineage: what a run read and wrote, as events that catalogues such as Marquez and DataHub understand.

`event` builds them after the specification 2-0-2, `transport` brings them to a file or over HTTP.
"""

from trimtab.adapters.openlineage.event import Dataset, Job, Moment, facet, run_event
from trimtab.adapters.openlineage.transport import Transport, transport

__all__ = ["Dataset", "Job", "Moment", "Transport", "facet", "run_event", "transport"]
