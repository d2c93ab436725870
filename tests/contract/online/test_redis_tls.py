"""Redis over TLS: the server's certificate is looked at. A terminator of ours stands before the real server."""

import socket
import socketserver
import ssl
import threading
from contextlib import suppress

import numpy as np
import pytest

from tests.cluster.kube.pki import Authority
from trimtab.adapters.online import online_store
from trimtab.api.errors import SurroundingsFailed

pytestmark = pytest.mark.xdist_group("online")
KINDS, ROW = {"temp": "number"}, {"temp": np.array([1.5])}


def relay(source, target):
    with suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    with suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def tls(redis_server, tmp_path):
    """(its port, the file of the authority that it is known by)"""
    redis_server.client().flushall()
    authority = Authority()
    files = authority.server("redis", ["127.0.0.1"]).write(tmp_path, "redis")
    trusted = tmp_path / "ca.crt"
    trusted.write_bytes(authority.certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)

    class Terminator(socketserver.BaseRequestHandler):
        def handle(self):
            with (
                suppress(OSError),
                context.wrap_socket(self.request, server_side=True) as inside,
                socket.create_connection(("127.0.0.1", redis_server.port)) as server,
            ):
                back = threading.Thread(target=relay, args=(server, inside), daemon=True)
                back.start()
                relay(inside, server)
                back.join(60)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Terminator) as listening:
        listening.daemon_threads = True
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield listening.server_address[1], trusted
        listening.shutdown()


def test_a_server_of_an_authority_that_is_trusted_is_used(tls):
    port, trusted = tls
    store = online_store(f"rediss://127.0.0.1:{port}/0?ssl_ca_certs={trusted}", "shop")
    assert store.write("weather", KINDS, ["JFK"], None, ROW) == 1
    (found,) = store.read([("weather", ["JFK"])])
    assert found.columns["temp"].tolist() == [1.5]
    store.close()


def test_a_server_that_nobody_vouches_for_is_refused(tls):
    port, _ = tls
    store = online_store(f"rediss://127.0.0.1:{port}/0", "shop")
    with pytest.raises(
        SurroundingsFailed, match=r"rediss://.* cannot be reached .*certificate verify failed"
    ):
        store.read([("weather", ["JFK"])])
