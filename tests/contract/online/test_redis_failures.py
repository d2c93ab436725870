"""What goes wrong with a server of Redis' protocol: a sentence with its remedy, and nothing half-written."""

import socket
import socketserver
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.cluster.kube.poll import eventually
from trimtab.adapters.online import online_store
from trimtab.api.errors import InputRefused, SurroundingsFailed

pytestmark = pytest.mark.xdist_group("online")

SECRET = "s3cret/@:#%"
AT = np.array(["2013-01-01T10:00"], "datetime64[us]")


def put(store, keys, value, day=1):
    times = np.full(len(keys), AT[0] + np.timedelta64(day, "D"))
    return store.write("weather", {"temp": "number"}, keys, times, {"temp": np.full(len(keys), value)})


def temperatures(store, keys):
    (found,) = store.read([("weather", keys)])
    return found.columns["temp"].tolist()


def failure(act, *arguments):
    with pytest.raises(SurroundingsFailed) as caught:
        act(*arguments)
    assert SECRET not in str(caught.value)
    assert SECRET not in repr(caught.value)
    assert caught.value.remedy
    return caught.value


def test_a_server_that_is_not_there(start_redis):
    server = start_redis()
    store = online_store(server.url, "shop")
    server.kill()
    for act in (lambda: put(store, ["JFK"], 1.0), lambda: temperatures(store, ["JFK"])):
        said = failure(act)
        assert said.message.startswith(f"the online store at {server.url} cannot be reached")
        assert "see that it runs" in said.remedy


def test_a_server_that_comes_back_is_found_again(start_redis):
    server = start_redis()
    store = online_store(server.url, "shop")
    put(store, ["JFK"], 1.0)
    server.kill()
    failure(temperatures, store, ["JFK"])
    server.start()
    assert np.isnat(store.read([("weather", ["JFK"])])[0].times[0])  # it kept nothing on disk
    assert put(store, ["JFK"], 2.0) == 1
    assert temperatures(store, ["JFK"]) == [2.0]
    assert temperatures(online_store(server.url, "shop"), ["JFK"]) == [2.0]


def test_a_server_that_hangs_is_waited_for_no_longer_than_said(start_redis):
    server = start_redis()
    store = online_store(server.url, "shop")
    put(store, ["JFK"], 1.0)
    server.pause()
    began = time.monotonic()
    said = failure(temperatures, online_store(server.url, "shop", within_s=0.5), ["JFK"])
    assert time.monotonic() - began < 30
    assert "does not answer within 0.5 s" in said.message
    server.resume()
    assert temperatures(store, ["JFK"]) == [1.0]


def test_a_server_that_dies_in_mid_write_has_all_of_it_or_nothing(start_redis):
    server = start_redis(
        "--appendonly", "yes", "--appendfsync", "always", "--auto-aof-rewrite-percentage", "0"
    )
    store = online_store(server.url, "shop", within_s=60)
    keys = [f"k{i}" for i in range(200)]
    put(store, keys, 1.0)
    put(store, keys, 2.0, day=2)
    server.pause()
    with ThreadPoolExecutor() as pool:
        writing = pool.submit(put, store, keys, 3.0, 3)
        server.kill()  # it has the request, or not: its answer never comes
        said = failure(writing.result, 60)
    assert "cannot be reached" in said.message
    assert "may be written again" in said.remedy
    log = max(server.folder.rglob("*.aof"), key=lambda file: file.stat().st_size)
    with log.open("r+b") as held:  # as if it had died while it wrote the second batch down
        held.truncate(log.stat().st_size - 4_000)
    server.start()
    assert set(temperatures(store, keys)) == {1.0}
    assert put(store, keys, 3.0, day=3) == 200
    assert set(temperatures(store, keys)) == {3.0}


def test_a_password_that_is_wrong(start_redis, monkeypatch):
    server = start_redis(password="another")
    monkeypatch.setenv("REDIS_PASSWORD", SECRET)
    store = online_store(f"redis://:${{REDIS_PASSWORD}}@127.0.0.1:{server.port}/0", "shop")
    for act in (lambda: put(store, ["JFK"], 1.0), lambda: temperatures(store, ["JFK"])):
        said = failure(act)
        assert "does not let us in" in said.message
        assert "REDIS_PASSWORD" in said.remedy
    assert "does not let us in" in failure(temperatures, online_store(server.url, "shop"), ["JFK"]).message


def test_a_password_is_taken_from_the_environment_whatever_is_in_it(start_redis, monkeypatch):
    server = start_redis(password=SECRET)
    monkeypatch.setenv("REDIS_PASSWORD", SECRET)
    store = online_store(f"redis://:${{REDIS_PASSWORD}}@127.0.0.1:{server.port}/0", "shop")
    assert put(store, ["JFK"], 1.0) == 1
    assert SECRET not in repr(vars(store)["_address"])


def test_a_server_that_repeats_what_it_was_sent_gives_no_password_away(start_redis, monkeypatch):
    server = start_redis("--rename-command", "AUTH", "", "--rename-command", "HELLO", "")
    monkeypatch.setenv("REDIS_PASSWORD", SECRET)
    store = online_store(f"redis://:${{REDIS_PASSWORD}}@127.0.0.1:{server.port}/0", "shop")
    failure(temperatures, store, ["JFK"])


def test_a_variable_that_is_not_set(monkeypatch):
    monkeypatch.delenv("REDIS_PASSWORD", raising=False)
    for address in ("redis://:${REDIS_PASSWORD}@redis:6379/0", "${REDIS_PASSWORD}"):
        with pytest.raises(InputRefused, match="variable REDIS_PASSWORD of this address is not set"):
            online_store(address, "shop")


@pytest.mark.parametrize(
    "address",
    [
        "redis://",
        "redis://host:port/0",
        "redis://host/zero",
        "redis://host/0?socket_timeout=9",
        "mysql://host/0",
        "redis://:s3c/ret@host/0",
        "redis://:s3c[ret@host/0",
    ],
)
def test_an_address_that_is_none(address):
    with pytest.raises(InputRefused) as caught:
        online_store(address, "shop")
    assert caught.value.remedy
    assert "s3c" not in str(caught.value)


def test_a_row_of_another_version(redis_server):
    client = redis_server.client()
    client.flushall()
    store = online_store(redis_server.url, "shop")
    put(store, ["JFK", "LGA"], 1.0)
    held = client.get("trimtab:shop:weather:JFK")
    newer, truncated, unknown = bytes([9]) + held[1:], held[:-3], held[:9] + b"\xff\xff\xff\xff" + held[13:]
    for foreign in (newer, truncated, unknown, b"{}", b"x"):
        client.set("trimtab:shop:weather:JFK", foreign)
        said = failure(temperatures, store, ["LGA", "JFK"])
        assert "'trimtab:shop:weather:JFK'" in said.message
        assert "delete the key" in said.remedy
    for foreign in (newer, b"{}", b"x"):
        client.set("trimtab:shop:weather:JFK", foreign)
        assert "'trimtab:shop:weather:JFK'" in failure(put, store, ["LGA", "JFK", "EWR"], 2.0, 2).message
        assert client.get("trimtab:shop:weather:JFK") == foreign
    assert temperatures(store, ["LGA"]) == [1.0]
    assert not client.exists("trimtab:shop:weather:EWR")


def test_a_key_that_holds_no_string(redis_server):
    client = redis_server.client()
    client.flushall()
    client.rpush("trimtab:shop:weather:JFK", "a", "list")
    store = online_store(redis_server.url, "shop")
    said = failure(put, store, ["LGA", "JFK", "EWR"], 1.0)
    assert "'trimtab:shop:weather:JFK' that is no row of this version" in said.message
    assert client.keys() == [b"trimtab:shop:weather:JFK"]
    client.flushall()
    client.set("trimtab:shop", "no hash")
    for act in (
        lambda: put(store, ["LGA"], 1.0),
        lambda: temperatures(online_store(redis_server.url, "shop"), ["JFK"]),
    ):
        assert "under 'trimtab:shop' that is no row" in failure(act).message
    assert client.keys() == [b"trimtab:shop"]


def test_a_large_batch_that_fails_says_how_much_of_it_is_written(redis_server):
    client = redis_server.client()
    client.flushall()
    client.rpush("trimtab:shop:weather:k20000", "a", "list")
    store = online_store(redis_server.url, "shop")
    keys = [f"k{i}" for i in range(25_000)]
    said = failure(put, store, keys, 1.0)
    assert said.message.endswith("20,000 rows of the batch are written, 5,000 are not")
    assert client.dbsize() == 1 + 1 + 20_000
    client.delete("trimtab:shop:weather:k20000")
    assert put(store, keys, 1.0) == 25_000
    assert client.dbsize() == 1 + 25_000


def test_a_server_whose_memory_is_full(start_redis):
    server = start_redis("--maxmemory-policy", "noeviction")
    store = online_store(server.url, "shop")
    put(store, ["JFK"], 1.0)
    server.client().config_set("maxmemory", "1")
    said = failure(put, store, ["JFK", "LGA"], 2.0, 2)
    assert "is full and took none of these rows" in said.message
    assert "maxmemory" in said.remedy
    np.testing.assert_array_equal(temperatures(store, ["JFK", "LGA"]), [1.0, np.nan])


def test_a_replica_may_be_read_but_not_written(redis_server, start_redis):
    redis_server.client().flushall()
    put(online_store(redis_server.url, "shop"), ["JFK"], 1.0)
    replica = start_redis("--replicaof", "127.0.0.1", str(redis_server.port))
    store = online_store(replica.url, "shop")
    eventually(
        "it has the primary's row", lambda: "temp" in store.read([("weather", ["JFK"])])[0].columns, 60
    )
    assert temperatures(store, ["JFK"]) == [1.0]
    said = failure(put, store, ["JFK"], 2.0, 2)
    assert "is a read-only replica" in said.message
    assert "primary" in said.remedy
    assert temperatures(store, ["JFK"]) == [1.0]


def test_a_user_who_may_not_write(start_redis, monkeypatch):
    server = start_redis()
    rules = ["on", f">{SECRET}", "~trimtab:shop*", "+mget", "+hgetall"]
    server.client().execute_command("ACL", "SETUSER", "reader", *rules)
    put(online_store(server.url, "shop"), ["JFK"], 1.0)
    monkeypatch.setenv("REDIS_PASSWORD", SECRET)
    store = online_store(f"redis://reader:${{REDIS_PASSWORD}}@127.0.0.1:{server.port}/0", "shop")
    assert temperatures(store, ["JFK"]) == [1.0]
    said = failure(put, store, ["JFK"], 2.0, 2)
    assert "refused" in said.message
    assert "~trimtab:shop*" in said.remedy
    assert temperatures(store, ["JFK"]) == [1.0]
    server.client().execute_command("ACL", "SETUSER", "reader", "+eval", "+hexists")
    assert failure(put, store, ["JFK"], 2.0, 2).remedy == said.remedy
    server.client().execute_command("ACL", "SETUSER", "reader", *said.remedy.partition("user: ")[2].split())
    assert put(store, ["JFK"], 2.0, 2) == 1


def test_what_is_no_server_of_that_protocol():
    class Page(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(1 << 16)
            self.request.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Page) as page:
        threading.Thread(target=page.serve_forever, daemon=True).start()
        port = page.server_address[1]
        said = failure(temperatures, online_store(f"redis://127.0.0.1:{port}/0", "shop"), ["JFK"])
        page.shutdown()
    assert f"127.0.0.1:{port}/0 does not speak Redis' protocol" in said.message


def test_what_takes_connections_and_says_nothing():
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        store = online_store(f"redis://127.0.0.1:{deaf.getsockname()[1]}/0", "shop", within_s=0.5)
        assert "does not answer within 0.5 s" in failure(temperatures, store, ["JFK"]).message


def test_projects_do_not_see_each_other(redis_server):
    redis_server.client().flushall()
    put(online_store(redis_server.url, "shop-a"), ["JFK"], 1.0)
    (found,) = online_store(redis_server.url, "shop").read([("weather", ["JFK"])])
    assert np.isnat(found.times).all()
    assert temperatures(online_store(redis_server.url, "shop_a"), ["JFK"]) == [1.0]
