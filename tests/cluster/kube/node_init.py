"""The first process inside a node's namespaces: it makes them a machine, then starts what it is told.

    unshare -C -n -m -p -f --mount-proc python node_init.py FOLDER CGROUP

It stands alone (standard library only), prints `prepared` and then obeys lines of JSON on standard input, each
a process {"name", "argv", "env"}; its output goes to FOLDER/log/<name>.log. When a process ends, a line
{"name", "status"} goes to standard output. At the end of standard input it ends, and the kernel ends everything
else in the namespace: so nothing outlives whoever holds the other end, however that one died.
"""

import ctypes
import json
import os
import selectors
import signal
import subprocess
import sys
from pathlib import Path

ADDRESS = "10.255.0.1"
CONTROLLERS = ("cpu", "cpuacct", "cpuset", "memory", "devices", "freezer", "blkio", "pids")
CGROUPS = Path("/sys/fs/cgroup")
SHARES = "16384"
"""All pods together get the processor as 16 processes outside do, where those want it too; by default they are one."""
WANTED_BY_KUBELET = {
    "vm/overcommit_memory": "1",
    "kernel/panic": "10",
    "kernel/panic_on_oops": "1",
    "kernel/keys/root_maxkeys": "1000000",
    "kernel/keys/root_maxbytes": "25000000",
}
PR_SET_PDEATHSIG = 1


def main(folder: Path, cgroup: str) -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    hide_the_host(folder)
    own_cgroups(cgroup)
    pretend_sysctls(folder)
    bring_up_network()
    tell("prepared")
    obey(folder)


def hide_the_host(folder: Path) -> None:
    """What programs insist on writing under /run, /var/lib and /var/log goes into the node's folder."""
    run("mount", "--make-rslave", "/")
    run("mount", "-t", "tmpfs", "tmpfs", "/run")
    Path("/run/lock").mkdir()
    for name in ("log", "var-log", "upper", "work", "kubelet"):
        (folder / name).mkdir(exist_ok=True)
    run("mount", "--bind", str(folder / "var-log"), "/var/log")
    layers = f"lowerdir=/var/lib,upperdir={folder / 'upper'},workdir={folder / 'work'}"
    run("mount", "-t", "overlay", "overlay", "-o", layers, "/var/lib")
    # a volume that a pod mounts in both directions needs this of the kubelet's folder
    run("mount", "--bind", str(folder / "kubelet"), str(folder / "kubelet"))
    run("mount", "--make-rshared", str(folder / "kubelet"))


def own_cgroups(cgroup: str) -> None:
    """Mount the hierarchies anew, so that only this namespace's own subtree shows, and make the pods' group in it."""
    for name in CONTROLLERS:
        run("umount", str(CGROUPS / name))
        run("mount", "-t", "cgroup", "-o", name, "cgroup", str(CGROUPS / name))
    run("umount", str(CGROUPS / "systemd"))
    run("mount", "-t", "cgroup", "-o", "none,name=systemd", "cgroup", str(CGROUPS / "systemd"))
    run("umount", str(CGROUPS / "unified"))
    run("mount", "-t", "cgroup2", "cgroup2", str(CGROUPS / "unified"))
    for name in (*CONTROLLERS, "systemd", "unified"):
        (CGROUPS / name / cgroup).mkdir(exist_ok=True)
    for file in ("cpuset.cpus", "cpuset.mems"):
        (CGROUPS / "cpuset" / cgroup / file).write_text((CGROUPS / "cpuset" / file).read_text())
    (CGROUPS / "cpu" / cgroup / "cpu.shares").write_text(SHARES)


def pretend_sysctls(folder: Path) -> None:
    """The kubelet sets five kernel settings of the whole machine, unless they read as it wishes: so they do."""
    pretended = folder / "sysctl"
    pretended.mkdir(exist_ok=True)
    for name, value in WANTED_BY_KUBELET.items():
        file = pretended / name.replace("/", ".")
        file.write_text(f"{value}\n")
        run("mount", "--bind", str(file), f"/proc/sys/{name}")


def bring_up_network() -> None:
    run("ip", "link", "set", "lo", "up")
    run("ip", "address", "add", f"{ADDRESS}/32", "dev", "lo")
    run("ip", "route", "add", "default", "dev", "lo")
    Path("/proc/sys/net/ipv4/ip_forward").write_text("1")


def obey(folder: Path) -> None:
    """Start what standard input says and gather what ends, until standard input ends."""
    names: dict[int, str] = {}
    woken, wake = os.pipe()
    os.set_blocking(wake, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    waiting = selectors.DefaultSelector()
    waiting.register(sys.stdin.fileno(), selectors.EVENT_READ)
    waiting.register(woken, selectors.EVENT_READ)
    pending = b""
    while True:
        ready = {key.fd for key, _ in waiting.select()}
        if woken in ready:
            os.read(woken, 4096)
            gather(names)
        if sys.stdin.fileno() in ready:
            read = os.read(sys.stdin.fileno(), 1 << 16)
            if not read:
                return
            *lines, pending = (pending + read).split(b"\n")
            for line in lines:
                start(json.loads(line), folder, names)


def start(wished: dict, folder: Path, names: dict[int, str]) -> None:
    name = wished["name"]
    with (folder / "log" / f"{name}.log").open("ab") as log:
        process = subprocess.Popen(
            wished["argv"],
            env={**os.environ, **wished.get("env", {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    names[process.pid] = name


def gather(names: dict[int, str]) -> None:
    """Take the status of everything that ended, orphans of others among them."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if name := names.pop(pid, None):
            tell(json.dumps({"name": name, "status": os.waitstatus_to_exitcode(status)}))


def tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def run(*command: str) -> None:
    subprocess.run(command, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
