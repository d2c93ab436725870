"""The gateway of one machine: an Envoy whose clusters and routes are files that it watches."""

from trimtab.adapters.envoy.bootstrap import command
from trimtab.adapters.envoy.gateway import EnvoyGateway, EnvoyPlace, write_start_files
from trimtab.adapters.envoy.routes import DRAW_HEADER, PROBE_HOST

__all__ = ["DRAW_HEADER", "PROBE_HOST", "EnvoyGateway", "EnvoyPlace", "command", "write_start_files"]
