"""Check every request: host, origin and token."""

import hmac
import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from starlette.requests import HTTPConnection, cookie_parser
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cospeech.inference.errors import InputError
from cospeech.serving.connections import ConnectionLimiter

SHORTEST_TOKEN = 16
COOKIE = "cospeech"
ENTRANCE = "/enter"
OPEN = (ENTRANCE, "/page.css", "/icon.svg")
"""Paths that need no token."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; "
    "media-src 'self' blob:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_token(host: str, token: str | None) -> None:
    """Check that an address which others can reach is protected by a token of sufficient length.

    Raises:
        InputError: the token is missing or too short.
    """
    import secrets

    if token is None and not is_loopback(host):
        raise InputError(
            f"others can reach {host}, so visitors need a token: add --token {secrets.token_urlsafe(18)} (or another), "
            "or set COSPEECH_TOKEN"
        )
    if token is not None and len(token) < SHORTEST_TOKEN:
        raise InputError(f"the token has {len(token)} characters and could be guessed; use at least {SHORTEST_TOKEN}")


def check_certificate(certificate: Path | None, key: Path | None) -> None:
    """Check that the files hold a PEM certificate and its private key; `key` is None if one file holds both.

    Raises:
        InputError: they do not.
    """
    if certificate is None:
        if key is not None:
            raise InputError(f"--key {key} is given without --certificate; https needs both")
        return
    for path in (certificate, key):
        if path is not None and not path.is_file():
            raise InputError(f"{path}: no such file; https needs a PEM certificate and its private key")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        both = " and ".join(str(path) for path in (certificate, key) if path is not None)
        raise InputError(f"{both}: not a PEM certificate with its private key ({error.reason or error})") from error


@dataclass(frozen=True)
class Token:
    """The secret that visitors must enter. secret: None lets everybody in."""

    secret: str | None

    @property
    def cookie(self) -> str:
        """Value of the cookie that a browser keeps instead of the secret."""
        return hmac.new((self.secret or "").encode(), b"visitor", "sha256").hexdigest()

    def is_secret(self, given: str) -> bool:
        """Return whether `given` is the secret, in constant time."""
        return self.secret is not None and hmac.compare_digest(given.strip().encode(), self.secret.encode())

    def admits(self, headers: Mapping[str, str]) -> bool:
        """Return whether a request carries the cookie, or none is needed."""
        if self.secret is None:
            return True
        given = cookie_parser(headers.get("cookie", "")).get(COOKIE, "")  # takes what other applications set, too
        return hmac.compare_digest(given.encode(), self.cookie.encode())


def seen_over_https(origin: str) -> bool:
    """Return whether the visitor's browser is on an https page: where a proxy ends TLS only the browser knows.

    `AuthMiddleware` has seen that the rest of its `Origin` is our host.
    """
    return origin.startswith("https://")


class AuthMiddleware:
    """ASGI middleware that refuses unauthorised requests and adds security headers.

    Without a token, only requests to this machine's own names are answered (against DNS rebinding). Requests that
    change something must come from the page itself. With a token, all paths but `OPEN` need it.
    """

    def __init__(self, app: ASGIApp, token: Token, limiter: ConnectionLimiter) -> None:
        self._app, self._token, self._limiter = app, token, limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        refusal = self._refusal(request)
        if refusal is None and self._token.admits(request.headers) and scope.get("client"):
            self._limiter.admit(tuple(scope["client"]))
        if scope["type"] == "websocket":
            if refusal is None:
                await self._app(scope, receive, send)
            else:  # closed before it is accepted: the browser sees status 403
                await receive()
                await send({"type": "websocket.close", "code": 1008, "reason": "refused"})
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        await (refusal or self._app)(scope, receive, send_with_headers)

    def _refusal(self, request: HTTPConnection) -> Response | None:
        host = request.headers.get("host", "")
        name = _split(f"//{host}").hostname
        if not name:
            return _error(400, "the request has no valid Host header")
        if self._token.secret is None and not is_loopback(name):
            return _error(421, f"without a token, this server answers only to names of its machine, not to {host!r}; "
                               "start it with --token to serve others")  # fmt: skip
        socket = request.scope["type"] == "websocket"
        if (socket or request.scope["method"] not in ("GET", "HEAD")) and not _from_our_page(request, host):
            return _error(403, "refused: the request does not come from this server's page")
        if request.scope["path"] in OPEN or self._token.admits(request.headers):
            return None
        return (
            RedirectResponse(ENTRANCE, 303)
            if request.scope["path"] == "/"
            else _error(401, "the token is missing; reload the page")
        )


def _from_our_page(request: HTTPConnection, host: str) -> bool:
    return _split(request.headers.get("origin", "")).netloc == host


def _split(address: str) -> SplitResult:
    """Parse an address; one that cannot be parsed names nothing."""
    try:
        return urlsplit(address)
    except ValueError:  # such as of http://[::1
        return SplitResult("", "", "", "", "")


def _error(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status)
