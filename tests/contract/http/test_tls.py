"""A provider over TLS: its certificate is looked at, by authorities as their file stands now."""

import os
import ssl
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from tests.cluster.kube.pki import Authority
from trimtab.adapters.http import HttpServer, trusted
from trimtab.api.errors import SurroundingsFailed


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "4")
        self.end_headers()
        self.wfile.write(b"true")

    def log_message(self, *_):
        pass


@pytest.fixture
def authority():
    return Authority()


@pytest.fixture
def address(authority, tmp_path):
    files = authority.server("provider", ["127.0.0.1"]).write(tmp_path, "provider")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(files.certificate, files.key)
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        listening.socket = context.wrap_socket(listening.socket, server_side=True)
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"https://127.0.0.1:{listening.server_address[1]}"
        listening.shutdown()


def asked(address, ca_file):
    return HttpServer("the provider", address, ca_file=ca_file).send("GET", "/")


def test_one_that_nobody_vouches_for_is_refused(address):
    with pytest.raises(SurroundingsFailed, match="certificate verify failed"):
        asked(address, None)


def test_an_authority_that_is_replaced_is_trusted_at_the_next_call(address, authority, tmp_path):
    file = tmp_path / "ca.crt"
    file.write_bytes(Authority().certificate)
    with pytest.raises(SurroundingsFailed, match="certificate verify failed"):
        asked(address, file)
    file.write_bytes(authority.certificate)
    os.utime(file, ns=(time.time_ns(), file.stat().st_mtime_ns + 1))
    assert asked(address, file) == (200, b"true")
    assert trusted(file) is trusted(file)


@pytest.mark.parametrize("content", [None, b"", b"no certificate"])
def test_a_file_that_holds_no_certificates_is_told(address, tmp_path, content):
    file = tmp_path / "ca.crt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SurroundingsFailed, match="the provider at"):
        asked(address, file)
