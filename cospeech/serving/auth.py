"""Who may come in: checked before any page, picture or websocket."""

import hmac
import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from pathlib import Path
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cospeech.inference.errors import InputError

SHORTEST_TOKEN = 16
COOKIE = "cospeech"
ENTRANCE = "/enter"
OPEN = (ENTRANCE, "/page.css", "/icon.svg")
"""What can be seen without the token."""
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
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_token(host: str, token: str | None) -> None:
    """
    Raises:
        InputError: others can reach this address and there is no token, or a short one.
    """
    import secrets

    if token is None and not is_loopback(host):
        raise InputError(
            f"{host} can be reached by others, so a token is required, such as --token {secrets.token_urlsafe(18)}, "
            "or the same in COSPEECH_TOKEN; visitors are asked for it"
        )
    if token is not None and len(token) < SHORTEST_TOKEN:
        raise InputError(f"a token of {len(token)} characters can be guessed; at least {SHORTEST_TOKEN} are needed")


def check_certificate(certificate: Path | None, key: Path | None) -> None:
    """
    Raises:
        InputError: not a certificate in PEM form with its private key, in a file of its own or the same.
    """
    if certificate is None:
        if key is not None:
            raise InputError(f"--key {key} is of no use alone: https needs --certificate too")
        return
    for path in (certificate, key):
        if path is not None and not path.is_file():
            raise InputError(f"{path}: no such file; https needs a certificate and its private key (PEM)")
    try:
        ssl.create_default_context(ssl.Purpose.CLIENT_AUTH).load_cert_chain(certificate, key)
    except ssl.SSLError as error:
        both = " and ".join(str(path) for path in (certificate, key) if path is not None)
        raise InputError(f"{both}: no certificate with its private key as PEM ({error.reason or error})") from error


@dataclass(frozen=True)
class Token:
    """The secret that lets visitors in; None: nobody is asked."""

    secret: str | None

    @property
    def cookie(self) -> str:
        """What a browser keeps instead of the secret."""
        return hmac.new((self.secret or "").encode(), b"visitor", "sha256").hexdigest()

    def is_secret(self, given: str) -> bool:
        return self.secret is not None and hmac.compare_digest(given.strip().encode(), self.secret.encode())

    def admits(self, headers: Mapping[str, str]) -> bool:
        """Whether a request carries the cookie."""
        if self.secret is None:
            return True
        cookies = SimpleCookie(headers.get("cookie", ""))
        given = cookies[COOKIE].value if COOKIE in cookies else ""
        return hmac.compare_digest(given.encode(), self.cookie.encode())


class Guard:
    """ASGI middleware. Without a token only names of this machine are answered, so that no other site's name can be
    pointed at it; whatever changes something must come from our own page; the rest needs the token."""

    def __init__(self, app: ASGIApp, token: Token) -> None:
        self._app, self._token = app, token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        request = HTTPConnection(scope)
        refusal = self._refusal(request)
        if scope["type"] == "websocket":
            if refusal is None:
                await self._app(scope, receive, send)
            else:  # before it is accepted: the browser sees status 403
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
        if self._token.secret is None and not is_loopback(urlsplit(f"//{host}").hostname or ""):
            return _said(421, f"this server answers to names of its own machine only, not to {host!r}; to serve others "
                              "start it with a token")  # fmt: skip
        socket = request.scope["type"] == "websocket"
        if (socket or request.scope["method"] not in ("GET", "HEAD")) and not _from_our_page(request, host):
            return _said(403, "refused: this did not come from the page of this server")
        if request.url.path in OPEN or self._token.admits(request.headers):
            return None
        return (
            RedirectResponse(ENTRANCE, 303)
            if request.url.path == "/"
            else _said(401, "the token is required: reload the page")
        )


def _from_our_page(request: HTTPConnection, host: str) -> bool:
    return urlsplit(request.headers.get("origin", "")).netloc == host != ""


def _said(status: int, message: str) -> JSONResponse:
    return JSONResponse({"error": message}, status)
