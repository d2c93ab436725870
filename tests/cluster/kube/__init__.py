"""A real Kubernetes on one machine, for tests and for people: built from Go modules, gone without a trace.

versions         every version, in one place
binaries         where the programs come from: $KUBEBUILDER_ASSETS, the cache, or a build
modules          manifests of others, read out of their Go modules
control_plane    etcd and kube-apiserver
controllers      what may run beside them: kube-controller-manager, kube-scheduler, KServe's manager, kwok
direct           trimtab's port `Cluster` over HTTPS, uncached
"""
