"""The command lines of a control plane's programs, wherever they run."""

from pathlib import Path

from tests.cluster.kube.keys import Keys

SERVICES = "10.96.0.0/16"

AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
"""


def etcd(data: Path, port: int) -> list[str]:
    """One member that fsyncs nothing: its disk is thrown away."""
    client, peer = f"http://127.0.0.1:{port}", "http://127.0.0.1:0"
    return [
        "--name=one",
        f"--data-dir={data}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=one={peer}",
        "--log-level=warn",
    ]


def apiserver(keys: Keys, address: str, port: int, etcd_port: int) -> list[str]:
    return [
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        f"--bind-address={address}",
        f"--advertise-address={address}",
        f"--secure-port={port}",
        f"--tls-cert-file={keys.apiserver.certificate}",
        f"--tls-private-key-file={keys.apiserver.key}",
        f"--client-ca-file={keys.ca.certificate}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={keys.accounts.certificate}",
        f"--service-account-signing-key-file={keys.accounts.key}",
        "--authorization-mode=Node,RBAC",
        f"--service-cluster-ip-range={SERVICES}",
        "--allow-privileged=true",
        f"--kubelet-client-certificate={keys.to_kubelet.certificate}",
        f"--kubelet-client-key={keys.to_kubelet.key}",
        f"--kubelet-certificate-authority={keys.ca.certificate}",
        "--kubelet-preferred-address-types=InternalIP",
        f"--requestheader-client-ca-file={keys.ca.certificate}",
        "--requestheader-allowed-names=front-proxy-client",
        "--requestheader-username-headers=X-Remote-User",
        "--requestheader-group-headers=X-Remote-Group",
        "--requestheader-extra-headers-prefix=X-Remote-Extra-",
        f"--proxy-client-cert-file={keys.front_proxy.certificate}",
        f"--proxy-client-key-file={keys.front_proxy.key}",
        "--enable-aggregator-routing=true",
    ]


def audit(folder: Path) -> list[str]:
    """Every call as a line of JSON in `audit.jsonl`: who, verb, resource, status; no bodies."""
    policy = folder / "audit-policy.yaml"
    policy.write_text(AUDIT_POLICY)
    return [f"--audit-policy-file={policy}", f"--audit-log-path={folder / 'audit.jsonl'}"]


def controller_manager(keys: Keys, kubeconfig: Path, controllers: str = "*") -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--secure-port=0",
        "--bind-address=127.0.0.1",
        f"--root-ca-file={keys.ca.certificate}",
        f"--service-account-private-key-file={keys.accounts.key}",
        "--use-service-account-credentials=true",
        f"--cluster-signing-cert-file={keys.ca.certificate}",
        f"--cluster-signing-key-file={keys.ca.key}",
        "--allocate-node-cidrs=true",
        "--cluster-cidr=10.244.0.0/16",
        f"--service-cluster-ip-range={SERVICES}",
        f"--flex-volume-plugin-dir={keys.folder / 'no-plugins'}",
        "--leader-elect=false",
        "--node-monitor-grace-period=60s",
        f"--controllers={controllers}",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
    ]


def scheduler(kubeconfig: Path) -> list[str]:
    return [
        f"--kubeconfig={kubeconfig}",
        f"--authentication-kubeconfig={kubeconfig}",
        f"--authorization-kubeconfig={kubeconfig}",
        "--secure-port=0",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
        "--kube-api-qps=500",
        "--kube-api-burst=1000",
    ]
