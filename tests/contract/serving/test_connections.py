"""What HTTP allows a client to do with a connection, on the path that answers without ASGI."""

import json
import signal
import socket
import time

import pytest

from tests.standstill import Standstill

from .conftest import EXPECTED, MODEL, Server, Start, columns, eventually, v2

pytestmark = pytest.mark.xdist_group("serving")

BODY = json.dumps(v2(columns())).encode()


def message(headers: str = "", version: str = "1.1", target: str = f"/v2/models/{MODEL}/infer") -> bytes:
    return (
        f"POST {target} HTTP/{version}\r\nhost: x\r\n{headers}content-length: {len(BODY)}\r\n\r\n".encode()
        + BODY
    )


def answers(connection: socket.socket, number: int) -> list[tuple[bytes, bytes]]:
    """Head and body of the next answers."""
    stream = connection.makefile("rb")
    found = []
    for _ in range(number):
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            line = stream.readline()
            assert line, head
            head += line
        fields = dict(line.split(b": ", 1) for line in head.lower().split(b"\r\n")[1:-2])
        found.append((head, stream.read(int(fields.get(b"content-length", b"0")))))
    return found


@pytest.fixture
def connection(server: Server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as opened:
        yield opened


def late(body: bytes) -> list[float]:
    return json.loads(body)["outputs"][0]["data"][1::2]


def test_pipelined_requests_are_answered_in_order(connection: socket.socket):
    health = b"GET /v2/health/live HTTP/1.1\r\nhost: x\r\n\r\n"
    connection.sendall(
        message("x-request-id: one\r\n") + health + message("x-request-id: two\r\n") + message() + health
    )
    found = answers(connection, 5)
    assert b"x-request-id: one" in found[0][0]
    assert json.loads(found[1][1]) == {"live": True}
    assert b"x-request-id: two" in found[2][0]
    assert late(found[2][1]) == late(found[3][1]) == pytest.approx(EXPECTED, abs=1e-6)
    assert json.loads(found[4][1]) == {"live": True}


def test_a_body_may_come_in_pieces(connection: socket.socket):
    whole = message()
    for start in range(0, len(whole), 97):
        connection.sendall(whole[start : start + 97])
    ((_, body),) = answers(connection, 1)
    assert late(body) == pytest.approx(EXPECTED, abs=1e-6)


def test_a_body_may_come_in_chunks(connection: socket.socket):
    half = len(BODY) // 2
    chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (BODY[:half], BODY[half:], b""))
    connection.sendall(
        f"POST /v2/models/{MODEL}/infer HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".encode()
        + chunks
    )
    ((_, body),) = answers(connection, 1)
    assert late(body) == pytest.approx(EXPECTED, abs=1e-6)


@pytest.mark.parametrize(("headers", "version"), [("connection: close\r\n", "1.1"), ("", "1.0")])
def test_a_connection_that_is_to_close_closes(connection: socket.socket, headers: str, version: str):
    connection.sendall(message(headers, version))
    ((head, body),) = answers(connection, 1)
    assert b"connection: close" in head
    assert late(body) == pytest.approx(EXPECTED, abs=1e-6)
    assert connection.recv(1) == b""


def test_a_client_may_ask_before_it_sends_the_body(connection: socket.socket):
    head, body = message("expect: 100-continue\r\n").split(b"\r\n\r\n", 1)
    connection.sendall(head + b"\r\n\r\n")
    assert connection.recv(100).startswith(b"HTTP/1.1 100")
    connection.sendall(body)
    ((_, answer),) = answers(connection, 1)
    assert late(answer) == pytest.approx(EXPECTED, abs=1e-6)


def test_a_query_and_an_escaped_path_change_nothing(connection: socket.socket):
    connection.sendall(message(target=f"/v2/models/{MODEL}/infer?trace=1"))
    connection.sendall(message(target=f"/v2/models/%66{MODEL[1:]}/infer"))
    for head, body in answers(connection, 2):
        assert head.startswith(b"HTTP/1.1 200")
        assert late(body) == pytest.approx(EXPECTED, abs=1e-6)


def test_no_http_is_refused(connection: socket.socket, server: Server):
    connection.sendall(b"\x16\x03\x01 not http\r\n\r\n")
    assert connection.recv(100).startswith(b"HTTP/1.1 400")
    assert server.infer(BODY).status == 200


def test_a_client_that_does_not_read_its_answers_stops_being_served_and_nobody_else(server: Server):
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as greedy:
        greedy.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        greedy.settimeout(0.5)
        with pytest.raises(TimeoutError):
            greedy.sendall(message() * 50_000)
        assert server.infer(BODY).status == 200


def test_a_request_whose_body_is_still_coming_at_sigterm_is_answered(start: Start, online):
    server = start("--online", str(online))
    with (
        socket.create_connection(("127.0.0.1", server.port), timeout=20) as idle,
        socket.create_connection(("127.0.0.1", server.port), timeout=20) as busy,
    ):
        whole = message()
        busy.sendall(whole[:-10])
        idle.sendall(message())
        answers(idle, 1)
        server.process.send_signal(signal.SIGTERM)
        assert idle.recv(1) == b""
        eventually(lambda: refused(server.port))
        busy.sendall(whole[-10:])
        ((head, body),) = answers(busy, 1)
        assert b"connection: close" in head
        assert late(body) == pytest.approx(EXPECTED, abs=1e-6)
        with Standstill() as still:
            since = time.monotonic()
            assert server.process.wait(60) == 0
            assert still.since_s(since) < 15


def refused(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=5).close()
    except OSError:
        return True
    return False
