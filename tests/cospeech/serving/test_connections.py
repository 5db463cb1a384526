"""Those who say nothing keep nobody out: on a real server, by sockets from several addresses of this machine."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

import pytest

from cospeech.cli import main
from cospeech.serving.auth import COOKIE, Token
from cospeech.serving.connections import ConnectionLimiter
from cospeech.serving.limits import Limits
from cospeech.serving.server import Address, make_server, open_socket
from tests.cospeech.serving.scene import LIMITS, make_state

SECRET = "a secret of some length"
ASK = b"GET /about HTTP/1.1\r\nHost: talk.example\r\n"
COOKIES = f"Cookie: {COOKIE}={Token(SECRET).cookie}\r\n".encode()
PATIENT = replace(LIMITS, request_seconds=600)


@pytest.fixture
def serve() -> Iterator[Callable[[Limits], int]]:
    """Start a server with such limits; its port."""
    with ExitStack() as ends:

        def start(limits: Limits) -> int:
            address = Address("127.0.0.1", 0)
            listening = ends.enter_context(open_socket(address))
            server = make_server(make_state(limits), Token(SECRET), address)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
            thread.start()
            ends.callback(thread.join)
            ends.callback(setattr, server, "should_exit", True)
            return int(listening.getsockname()[1])

        yield start


def connect(port: int, address: str = "127.0.0.1") -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=60, source_address=(address, 0))


def is_ended(stranger: socket.socket) -> bool:
    """Waits until it is; a stranger that is kept fails the test by its time-out."""
    try:
        while stranger.recv(10_000):
            pass
    except ConnectionResetError:
        pass
    return True


def ask(visitor: socket.socket, cookies: bytes = COOKIES) -> int:
    """Status of a request; the connection is kept."""
    visitor.sendall(ASK + cookies + b"\r\n")
    answer = visitor.recv(100_000)
    head, _, body = answer.partition(b"\r\n\r\n")
    length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.startswith(b"content-length"))
    while len(body) < length:
        body += visitor.recv(100_000)
    json.loads(body)
    return int(answer.split()[1])


def test_ninety_silent_sockets_keep_nobody_out(serve: Callable[[Limits], int]) -> None:
    port = serve(PATIENT)
    silent = [connect(port, f"127.0.0.{number % 9 + 2}") for number in range(90)]
    for address in ("127.0.0.1", "127.0.0.2"):
        with connect(port, address) as visitor:
            assert ask(visitor) == 200
    for each in silent:
        each.close()


@pytest.mark.parametrize(
    ("first", "then"),
    [
        (None, b""),
        (None, b"GET /about HTT"),
        (None, ASK + b"X-More: "),
        (COOKIES, b""),
        (COOKIES, b"GET"),
        (b"", b"GET"),
    ],
)
def test_a_request_that_does_not_come_ends_the_connection(
    serve: Callable[[Limits], int], first: bytes | None, then: bytes
) -> None:
    """Also a second one, after a first that was whole."""
    with connect(serve(replace(LIMITS, request_seconds=0.2))) as visitor:
        if first is not None:
            assert ask(visitor, first) == (200 if first else 401)
        visitor.sendall(then)
        assert is_ended(visitor)


def test_an_address_has_a_share_and_its_oldest_stranger_makes_room(serve: Callable[[Limits], int]) -> None:
    port = serve(replace(PATIENT, address_connections=3))
    with connect(port) as admitted, connect(port, "127.0.0.2") as other:
        assert ask(admitted) == 200
        silent = [connect(port) for _ in range(5)]
        for each in silent[:3]:
            assert is_ended(each)
        assert ask(silent[-1]) == ask(admitted) == ask(other) == 200
        for each in silent:
            each.close()


def test_a_wrong_cookie_admits_nobody(serve: Callable[[Limits], int]) -> None:
    port = serve(replace(PATIENT, unadmitted=2))
    with connect(port) as admitted:
        assert ask(admitted) == 200
        with connect(port) as refused, connect(port):
            assert ask(refused, b"") == 401
            with connect(port) as last:
                assert is_ended(refused)
                assert ask(last) == ask(admitted) == 200


class FakeTransport:
    dropped = False

    def abort(self) -> None:
        self.dropped = True


def test_who_makes_room() -> None:
    limiter, transports = ConnectionLimiter(replace(LIMITS, unadmitted=4, address_connections=2), "10.0.0.1"), {}

    def come(address: str, port: int) -> None:
        transports[port] = FakeTransport()
        limiter.opened((address, port), transports[port])  # type: ignore[arg-type]

    def dropped() -> list[int]:
        return [port for port, transport in transports.items() if transport.dropped]

    for port in range(3):
        come("10.0.0.1", port)  # the proxy has no share
    limiter.admit(("10.0.0.1", 0))
    assert dropped() == []
    for port in (3, 4):
        come("2001:db8::1", port)
    assert dropped() == []
    come("2001:db8::2:1", 5)  # of the same network
    assert dropped() == [1, 3]  # the oldest of all, then the oldest of the network
    for port in (4, 5):
        limiter.admit(("2001:db8::1" if port == 4 else "2001:db8::2:1", port))
    come("2001:db8::3", 6)
    assert dropped() == [1, 3, 6]  # those who are admitted stay
    limiter.closed(("2001:db8::1", 4))
    come("2001:db8::3", 7)
    assert dropped() == [1, 3, 6]


def test_a_proxy_is_an_address(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["serve", "--proxy", "nginx"])
    assert "--proxy: 'nginx'" in capsys.readouterr().err
