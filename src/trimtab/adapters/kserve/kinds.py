"""The kinds that KServe's adapter reads and writes."""

from typing import Final

from trimtab.ports.cluster import Kind

INFERENCE_SERVICE: Final = Kind("serving.kserve.io", "v1beta1", "InferenceService", "inferenceservices")
SERVING_RUNTIME: Final = Kind("serving.kserve.io", "v1alpha1", "ServingRuntime", "servingruntimes")
CLUSTER_SERVING_RUNTIME: Final = Kind(
    "serving.kserve.io", "v1alpha1", "ClusterServingRuntime", "clusterservingruntimes", namespaced=False
)
DEPLOYMENT: Final = Kind("apps", "v1", "Deployment", "deployments")
POD: Final = Kind("", "v1", "Pod", "pods")

WATCHED: Final = (INFERENCE_SERVICE, DEPLOYMENT, POD)
"""Read from caches, by label trimtab.dev/rollout; the runtimes are read from the API server."""
