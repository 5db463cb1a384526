"""Whatever is sent, the answer is a refusal in plain words: no traceback, no 500, and the next visitor is served."""

import json
from collections.abc import Mapping
from functools import cache

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from cospeech.serving.app import make_app
from cospeech.serving.auth import COOKIE, Token
from cospeech.serving.connections import ConnectionLimiter
from tests.cospeech.serving.scene import LIMITS, PICTURE, make_state

HOME = "http://127.0.0.1:8000"
SECRET = "a secret of some length"
DEEP = "[" * 200_000
OURS = {"origin": HOME}


@cache
def app_of(secret: str | None) -> FastAPI:
    """One for all tests: what a bad request leaves behind would show in the next."""
    return make_app(make_state(), Token(secret), ConnectionLimiter(LIMITS))


def visitor(secret: str | None = None, address: str = HOME) -> TestClient:
    """Tracebacks of the server come through as errors of the test."""
    return TestClient(app_of(secret), address, follow_redirects=False)


@pytest.mark.parametrize("secret", [None, SECRET])
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("headers", "statuses"),
    [
        ({"host": "[::1"}, {400}),
        ({"host": ""}, {400}),
        ({"host": "[]"}, {400}),
        ({"host": "[::1]]:8000"}, {200, 401, 403}),
        ({"host": "\xe9vil"}, {401, 403, 421}),
        ({"origin": "http://[::1"}, {401, 403, 200}),
        ({"origin": "http://[::1]]"}, {401, 403, 200}),
        ({"origin": "\xff"}, {401, 403, 200}),
        ({"cookie": "a/b=1"}, {401, 403, 200}),
        ({"cookie": f"{COOKIE}=\xff; a/b=1; =; ;;"}, {401, 403, 200}),
        ({"cookie": "x" * 60_000}, {401, 403, 200}),
    ],
)
def test_headers(headers: Mapping[str, str], statuses: set[int], method: str, secret: str | None) -> None:
    client = visitor(secret)
    sent = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    answer = client.request(method, "/about" if method == "GET" else "/people", headers=sent, content=b"")
    assert answer.status_code in statuses
    if answer.status_code != 200:
        assert "Traceback" not in answer.text
        assert answer.json()["error"]


def test_cookies_of_other_applications_do_not_hide_ours() -> None:
    client = visitor(SECRET)
    assert client.get("/about", headers={"cookie": f"a/b=1; {COOKIE}={Token(SECRET).cookie}; c[]=2"}).status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("/enter", b"", 401),
        ("/enter", b"token=\xff\xfe", 401),
        ("/enter", b"token=" + b"x" * 1000, 400),
        ("/enter", b"&" * 900, 401),
        ("/enter", b"token=%ff%00%f0", 401),
        ("/people", b"", 422),
        ("/people", b"%!PS-Adobe-3.0 EPSF-3.0\n", 422),
        ("/people", b"\xff\xd8" + b"\xff\xe0\0\2" * 1000, 422),
        ("/people", b"\x89PNG\r\n\x1a\n", 422),
        ("/people", PICTURE[: len(PICTURE) // 2], 422),
        ("/people", PICTURE + bytes(300_000), 422),
        ("/people/0", b"", 405),
        ("/nowhere", b"", 404),
        ("/people/%ff%00", b"", 405),
    ],
)
def test_bodies(path: str, body: bytes, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(_: float) -> None:
        """The wait after a wrong token."""

    monkeypatch.setattr("cospeech.serving.app.anyio.sleep", at_once)
    client = visitor(SECRET)
    client.cookies[COOKIE] = Token(SECRET).cookie
    answer = client.post(path, content=body, headers=OURS)
    assert answer.status_code == status
    assert "Traceback" not in answer.text


GREETING = {"person": "0", "voice": "file"}
NUMBER = "9" * 5000
MESSAGES = {
    "brackets": DEEP,
    "braces": '{"a":' * 20_000,
    "a list": "[]",
    "a number": NUMBER,
    "words": "hello",
    "nothing": "",
    "not a number": '{"person": "0", "voice": "microphone", "rate": NaN}',
    "a rate without end": f'{{"person": "0", "voice": "microphone", "rate": {NUMBER}}}',
    "a rate in words": json.dumps({**GREETING, "rate": "\ud800" * 100}),
    "a rate that is true": json.dumps({**GREETING, "rate": True}),
    "a person of several parts": json.dumps({**GREETING, "person": ["0"]}),
    "half a letter": json.dumps({**GREETING, "person": "\ud800"}),
    "a telegraph": json.dumps({**GREETING, "voice": "telegraph"}),
    "bytes": b"\0\1\2",
    "bytes of a greeting": json.dumps(GREETING).encode(),
}


@pytest.mark.parametrize("kind", MESSAGES)
def test_greetings(kind: str) -> None:
    client, message = visitor(), MESSAGES[kind]
    with client.websocket_connect("ws://127.0.0.1:8000/talk", headers=OURS) as socket:
        socket.send({"type": "websocket.receive", "bytes" if isinstance(message, bytes) else "text": message})
        told = socket.receive_json()
        assert told["kind"] == "error"
        assert told["message"]
        assert len(told["message"]) < 200
        assert socket.receive() == {"type": "websocket.close", "code": 1008, "reason": ""}


@pytest.mark.parametrize("text", [DEEP, "[]", "hello", '{"a":' * 20_000])
def test_messages_after_the_greeting(text: str) -> None:
    with visitor().websocket_connect("ws://127.0.0.1:8000/talk", headers=OURS) as socket:
        socket.send_json(GREETING)
        assert socket.receive_json()["kind"] == "ready"
        socket.send_text(text)
        assert socket.receive_json() == {"kind": "error", "message": "the message is not a JSON object in text"}


@pytest.mark.parametrize(("origin", "secure"), [("https://talk.example", True), ("http://talk.example", False)])
def test_behind_a_proxy_that_ends_tls_the_cookie_is_secure(origin: str, secure: bool) -> None:
    """What comes here is http; the browser says whether its page is https."""
    client = visitor(SECRET, "http://talk.example")
    answer = client.post("/enter", data={"token": SECRET}, headers={"origin": origin})
    assert answer.status_code == 303
    assert ("Secure" in answer.headers["set-cookie"]) == secure
