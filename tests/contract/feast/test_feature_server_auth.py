"""A real `feast serve` that asks for a token: its own check of it, against an issuer that signs what it is told to."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.contract.feast.feast_serve import feast_serve
from trimtab.adapters.online import SqliteOnlineStore, online_reader
from trimtab.adapters.online.feast_server import FeastServer
from trimtab.adapters.online.feast_token import FILE_VARIABLE, VARIABLE
from trimtab.api.errors import SurroundingsFailed

pytestmark = pytest.mark.xdist_group("feast")
BEFORE = datetime(2013, 2, 20, 12, tzinfo=UTC)
WANTED = ["UA", "AA", None, "nobody"]


@dataclass
class Issuer:
    """An OpenID provider, as far as a server that checks tokens asks one."""

    uri: str
    key: Any

    def token(self, *roles: str, expires: timedelta = timedelta(hours=1)) -> str:
        import jwt

        claims = {"sub": "model-server", "roles": list(roles), "exp": datetime.now(UTC) + expires}
        return jwt.encode(claims, self.key, "RS256", headers={"kid": "one"})


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    from cryptography.hazmat.primitives.asymmetric import rsa
    from jwt.algorithms import RSAAlgorithm

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = {
        **RSAAlgorithm.to_jwk(key.public_key(), as_dict=True),
        "kid": "one",
        "use": "sig",
        "alg": "RS256",
    }

    class Provider(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            at = f"http://127.0.0.1:{self.server.server_address[1]}"  # type: ignore[attr-defined]
            about = {
                "issuer": at, "jwks_uri": f"{at}/keys",
                "token_endpoint": f"{at}/token", "authorization_endpoint": f"{at}/authorize",
            }  # fmt: skip
            said = {"keys": [public]} if self.path == "/keys" else about
            self.send_response(200)
            self.send_header("content-type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(said).encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Provider) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Issuer(f"http://127.0.0.1:{server.server_address[1]}", key)
        server.shutdown()


@pytest.fixture(scope="module")
def address(registered: Any, issuer: Issuer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Of a server over a registry of its own, in which the role `reader` may read features, and nobody else."""
    from feast import FeatureView
    from feast.permissions.action import AuthzedAction
    from feast.permissions.permission import Permission
    from feast.permissions.policy import RoleBasedPolicy

    from trimtab.adapters.feast.materialise import materialise
    from trimtab.adapters.feast.registration import apply, feature_store

    folder = tmp_path_factory.mktemp("guarded")
    store = feature_store("flights", folder / "feast", registered.online)
    apply(store, registered.plan, registered.tables, registered.shop.features_py)
    policy = RoleBasedPolicy(roles=["reader"])
    store.apply(Permission("read", types=[FeatureView], actions=[AuthzedAction.READ_ONLINE], policy=policy))
    online = SqliteOnlineStore(registered.online)
    materialise(registered.plan.views, registered.tables, registered.key_kinds, online, BEFORE)
    online.close()
    auth = {
        "type": "oidc",
        "client_id": "feast",
        "auth_discovery_url": f"{issuer.uri}/.well-known/openid-configuration",
    }
    registry = {"registry_type": "sql", "path": store.config.registry.path}
    with feast_serve(folder, registered, auth=auth, registry=registry) as uri:
        yield uri


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.delenv(FILE_VARIABLE, raising=False)


@pytest.fixture
def read(registered: Any, address: str) -> Callable[[], Any]:
    """Look the carriers' view up, as a model server does."""
    view = next(one for one in registered.plan.views if one.by == ("carrier",))
    reader = FeastServer(address, registered.plan.views, registered.key_kinds, 60.0)

    def looked_up() -> Any:
        (found,) = reader.read([(view.name, WANTED)])
        return found

    return looked_up


def refused(read: Callable[[], Any], token: str = "") -> SurroundingsFailed:
    with pytest.raises(SurroundingsFailed) as caught:
        read()
    assert not token or token not in f"{caught.value!r} {caught.value} {caught.value.remedy}"
    return caught.value


def test_a_token_of_the_environment_or_of_a_file_is_shown_and_what_is_read_is_the_stores(
    read: Callable[[], Any], registered: Any, issuer: Issuer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(VARIABLE, issuer.token("reader"))
    found = read()
    assert np.isnat(found.times).tolist() == [False, False, True, True]
    store = SqliteOnlineStore(registered.online)
    view = next(one for one in registered.plan.views if one.by == ("carrier",))
    (held,) = store.read([(view.name, WANTED)])
    store.close()
    for name, values in held.columns.items():
        np.testing.assert_array_equal(found.columns[name], values)

    monkeypatch.delenv(VARIABLE)
    file = tmp_path / "token"
    monkeypatch.setenv(FILE_VARIABLE, str(file))
    file.write_text(issuer.token("reader", expires=-timedelta(hours=1)) + "\n")
    assert f"does not take the token of {FILE_VARIABLE} {file}" in refused(read).message
    file.write_text(issuer.token("reader") + "\n")  # as a kubelet does before it expires
    assert np.isnat(read().times).tolist() == [False, False, True, True]


def test_without_a_token_it_says_how_to_give_one(read: Callable[[], Any], address: str) -> None:
    said = refused(read)
    assert said.message.startswith(f"Feast's feature server at {address} wants a token (401: ")
    assert VARIABLE in str(said.remedy)
    assert FILE_VARIABLE in str(said.remedy)


def test_a_token_that_has_expired_or_is_anothers(
    read: Callable[[], Any], issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    other = Issuer("", rsa.generate_private_key(public_exponent=65537, key_size=2048))
    for token in (issuer.token("reader", expires=-timedelta(hours=1)), other.token("reader"), "letmein"):
        monkeypatch.setenv(VARIABLE, token)
        said = refused(read, token)
        assert f"does not take the token of {VARIABLE} (401: " in said.message
        assert "has not expired" in str(said.remedy)


def test_one_who_may_not_read_features_is_told_what_grants_it(
    read: Callable[[], Any], issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(VARIABLE, token := issuer.token("somebody"))
    said = refused(read, token)
    assert "let us in, and not to these features (403: " in said.message
    assert "READ_ONLINE" in str(said.remedy)


def test_what_is_no_token_is_told_before_anything_is_asked(
    registered: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    reader = online_reader("http://127.0.0.1:1", registered.plan)
    name = registered.plan.views[0].name

    def look() -> Any:
        return reader.read([(name, ["UA"] if len(registered.plan.views[0].by) == 1 else ["UA\x1fJFK"])])

    monkeypatch.setenv(FILE_VARIABLE, str(tmp_path / "none"))
    assert f"{FILE_VARIABLE} {tmp_path / 'none'}, cannot be read: No such file" in refused(look).message
    (tmp_path / "none").write_bytes(b"\xff\xfe")
    assert "it is no text" in refused(look).message
    (tmp_path / "none").write_text("\n")
    assert "is no bearer token" in refused(look).message
    monkeypatch.setenv(VARIABLE, "Bearer s3cret")
    said = refused(look, "s3cret")
    assert f"what {VARIABLE} holds is no bearer token" in said.message
