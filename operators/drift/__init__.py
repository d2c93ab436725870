"""The operator: hands Kubernetes adapters to trimtab.control, one reconcile a custom resource."""
