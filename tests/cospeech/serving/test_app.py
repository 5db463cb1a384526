"""Who gets in, from where, and what a browser is told of it; what may be uploaded."""

import socket
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
from fastapi.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from cospeech.serving.app import make_app
from cospeech.serving.auth import COOKIE, Token, check_token, is_loopback
from cospeech.serving.connections import ConnectionLimiter
from cospeech.serving.server import Address, open_socket
from tests.cospeech.serving.scene import LIMITS, PICTURE, make_state, png

HOME, ELSEWHERE = "http://127.0.0.1:8000", "http://evil.example"
SECRET = "a secret of some length"


def visitor(secret: str | None = None, address: str = HOME, origin: str | None = HOME) -> TestClient:
    client = TestClient(
        make_app(make_state(), Token(secret), ConnectionLimiter(LIMITS)), address, follow_redirects=False
    )
    if origin:
        client.headers["origin"] = origin
    return client


def admitted(client: TestClient) -> bool:
    """To the websocket."""
    try:
        with client.websocket_connect(f"{str(client.base_url).replace('http', 'ws', 1)}/talk") as socket:
            socket.send_json({"person": "nobody", "voice": "file"})
            return socket.receive_json()["kind"] == "error"
    except WebSocketDisconnect as refused:
        return refused.code != 1008


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True), ("localhost", True), ("::1", True), ("127.9.9.9", True), ("0.0.0.0", False),
        ("::", False), ("192.168.1.2", False), ("example.org", False), ("localhost.example.org", False), ("", False),
    ],
)  # fmt: skip
def test_other_addresses_need_a_token(host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback
    check_token(host, SECRET)
    if loopback:
        check_token(host, None)
    else:
        with pytest.raises(ValueError, match="--token"):
            check_token(host, None)
    with pytest.raises(ValueError, match=r"15 characters.* 16"):
        check_token(host, "x" * 15)


def test_the_page_needs_nothing_from_elsewhere() -> None:
    client = visitor()
    for path in ("/", "/page.js", "/page.css", "/player.js", "/voice.js", "/microphone.js", "/icon.svg", "/enter"):
        answer = client.get(path)
        assert answer.status_code == 200
        assert "http" not in answer.text.replace("http://www.w3.org/2000/svg", "").replace('"https:"', "").replace(
            "over https", ""
        )
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in policy
    assert client.get("/index.html").status_code == 404
    assert client.get("/docs").status_code == 404


def test_without_a_token_only_this_machine_is_answered() -> None:
    """A name of somebody else's that leads here (DNS rebinding) is of no use to them."""
    assert visitor(address="http://localhost:8000").get("/").status_code == 200
    assert visitor(address="http://[::1]:8000").get("/about").status_code == 200
    rebound = visitor(address="http://evil.example:8000", origin="http://evil.example:8000")
    assert rebound.get("/about").status_code == 421
    assert not admitted(rebound)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [(HOME, True), (ELSEWHERE, False), ("http://127.0.0.1:9000", False), ("null", False), (None, False)],
)
def test_only_our_own_page_may_act(origin: str | None, allowed: bool) -> None:
    client = visitor(origin=origin)
    assert admitted(client) == allowed
    assert client.post("/people", content=PICTURE).status_code == (200 if allowed else 403)


def test_the_token_opens_page_and_websocket() -> None:
    client = visitor(SECRET, "https://talk.example", "https://talk.example")
    assert client.get("/").headers["location"] == "/enter"
    for path in ("/about", "/people/0", "/page.js"):
        assert client.get(path).status_code == 401
    assert client.post("/people", content=PICTURE).status_code == 401
    assert not admitted(client)
    wrong = client.post("/enter", data={"token": "another secret of it"})
    assert wrong.status_code == 401
    assert "not the token" in wrong.text
    right = client.post("/enter", data={"token": SECRET})
    assert right.headers["location"] == "/"
    for word in ("HttpOnly", "SameSite=strict", "Secure"):
        assert word in right.headers["set-cookie"]
    assert SECRET not in right.headers["set-cookie"]
    assert client.get("/").status_code == 200
    assert client.get("/about").status_code == 200
    assert admitted(client)


@pytest.mark.parametrize("cookie", ["", "x", Token("another secret of it").cookie, "\xe9", SECRET])
def test_other_cookies_open_nothing(cookie: str) -> None:
    headers: Mapping[str, str] = {"cookie": f"{COOKIE}={cookie}"}
    assert not Token(SECRET).admits(headers)
    assert Token(SECRET).admits({"cookie": f"a=b; {COOKIE}={Token(SECRET).cookie}"})
    assert Token(None).admits({})
    assert not Token(None).is_secret("")


def test_people() -> None:
    client = visitor()
    about = client.get("/about").json()
    assert [person["name"] for person in about["people"]] == ["ann", "bob"]
    assert about["limits"]["picture_bytes"] == LIMITS.picture_bytes
    assert client.get("/people/1").content == PICTURE
    assert client.get("/people/7").status_code == 404
    assert len(client.post("/people", content=PICTURE).json()["id"]) > 20


@pytest.mark.parametrize(
    ("picture", "message"),
    [
        (b"", "picture"),
        (b"GIF89a", "picture"),
        (PICTURE + bytes(300_000), "larger than 0.2 MB"),
        (png(np.ones((800, 800, 3), np.uint8)), "800 x 800 pixels, 0.64 million"),
        (png(np.zeros((64, 64, 3), np.uint8)), "no face is found"),
    ],
)
def test_pictures_that_cannot_be_taken(picture: bytes, message: str) -> None:
    answer = visitor().post("/people", content=picture)
    assert answer.status_code == 422
    assert message in answer.json()["error"]


def test_a_taken_port_is_said() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ValueError, match=f"http://127.0.0.1:{port} cannot be opened.*--port"):
            open_socket(Address("127.0.0.1", port))
    assert str(Address("::1", 80)) == "http://[::1]:80"


def test_limits_are_all_positive() -> None:
    assert all(value > 0 for value in vars(replace(LIMITS)).values())
