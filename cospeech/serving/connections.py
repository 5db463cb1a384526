"""Limit the open connections, so that silent ones keep nobody out.

Connections of which no request was admitted yet are limited in number, and so are those of one address; where one more
opens, the oldest that was not admitted is closed. Admitted connections are never closed for others.
"""

import asyncio
import ipaddress

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from uvicorn.server import ServerState

from cospeech.serving.limits import Limits
from cospeech.utils.json_types import JSONObject

Peer = tuple[str, int]
"""Address and port."""


class ConnectionLimiter:
    """Count open connections by their peers, for one event loop."""

    def __init__(self, limits: Limits, proxy: str | None = None) -> None:
        """proxy: IP address of a reverse proxy, whose connections are of many visitors."""
        self._limits, self._proxy = limits, proxy
        self._unadmitted: dict[Peer, asyncio.Transport] = {}
        self._open: dict[Peer, str] = {}

    def opened(self, peer: Peer, transport: asyncio.Transport) -> None:
        """Count a connection; close the oldest that was not admitted if there are too many."""
        origin = _origin(peer[0])
        self._open[peer], self._unadmitted[peer] = origin, transport
        if len(self._unadmitted) > self._limits.unadmitted:
            self._drop(next(iter(self._unadmitted)))
        same = [each for each, its in self._open.items() if its == origin]
        if len(same) > self._limits.address_connections and peer[0] != self._proxy:
            self._drop(next(each for each in same if each in self._unadmitted))

    def admit(self, peer: Peer) -> None:
        """Note that a request of the peer was admitted."""
        self._unadmitted.pop(peer, None)

    def closed(self, peer: Peer) -> None:
        """Forget a connection."""
        self._unadmitted.pop(peer, None)
        self._open.pop(peer, None)

    def _drop(self, peer: Peer) -> None:
        self._open.pop(peer)
        self._unadmitted.pop(peer).abort()


def _origin(address: str) -> str:
    """Return what one visitor controls: the address, or for IPv6 its network of 64 bits."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv4Address):
        return address
    return str(parsed.ipv4_mapped or ipaddress.IPv6Network((parsed.packed, 64), strict=False))


class HttpConnection(H11Protocol):
    """An HTTP connection of uvicorn that is counted, and closed if a request does not arrive in time."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: JSONObject,
        _loop: asyncio.AbstractEventLoop | None = None,
        *,
        limiter: ConnectionLimiter,
        seconds: float,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._limiter, self._seconds = limiter, seconds

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._look_later(None)
        if self.client:
            self._limiter.opened(self.client, transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self._timer.cancel()
        if self.client:
            self._limiter.closed(self.client)
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        self._timer.cancel()
        super().handle_websocket_upgrade(event)

    def _look_later(self, last: object) -> None:
        self._timer = self.loop.call_later(self._seconds, self._look, last)

    def _look(self, last: object) -> None:
        """Close the connection if no request has come since the last look, when `last` was the newest."""
        waits = self.cycle is None or self.cycle.response_complete
        if waits and self.cycle is last:
            self.transport.abort()
        else:
            self._look_later(self.cycle if waits else self)


class WebSocketConnection(WebSocketsSansIOProtocol):
    """A websocket of uvicorn, counted since it was an `HttpConnection`."""

    def __init__(
        self, config: Config, server_state: ServerState, app_state: JSONObject, *, limiter: ConnectionLimiter
    ) -> None:
        super().__init__(config, server_state, app_state)
        self._limiter = limiter

    def connection_lost(self, exc: Exception | None) -> None:
        if self.client:
            self._limiter.closed(self.client)
        super().connection_lost(exc)
