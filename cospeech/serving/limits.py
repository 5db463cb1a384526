"""Limits per visitor."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Limits per visitor; a request or talk that exceeds one is refused or ended with a message that names it."""

    request_seconds: float = 10
    """Time for a request to arrive, and for the first message on the websocket; uploads have longer."""
    unadmitted: int = 256
    """Connections of which no request was admitted yet; the oldest is closed first."""
    address_connections: int = 64
    """Connections from one address that is not a proxy's; a browser opens about seven."""
    picture_bytes: int = 10_000_000
    picture_pixels: int = 25_000_000
    """Telephones make 24 million; decoding takes 0.3 GB."""
    picture_seconds: float = 15
    """Time to decode a picture."""
    people: int = 100
    """Uploaded pictures kept at the same time; the oldest is dropped first."""
    people_seconds: float = 1800
    """Time that an uploaded picture is kept."""
    voice_bytes: int = 30_000_000
    """Size of an uploaded sound file."""
    voice_seconds: float = 300
    """Length of a talk."""
    upload_seconds: float = 60
    """Time for an upload to arrive."""
    waiting: int = 20
    """Visitors in the queue."""
    waiting_seconds: float = 1800
    """Time in the queue."""
    hold_seconds: float = 900
    """Time that one talk may occupy a slot."""
    idle_seconds: float = 90
    """Time without a message of the visitor; the page sends one every few seconds, in a hidden tab every minute."""
    quiet_seconds: float = 120
    """Time that a microphone may stay silent."""
    behind_seconds: float = 15
    """Speech in the buffer, when generating is slower than speaking."""
    stall_seconds: float = 30
    """Time to deliver one piece of the stream to the visitor."""
    pieces: int = 50
    """Pieces of the stream that wait to be sent; about a frame each."""
    message_bytes: int = 262_144
    """Size of a message on the websocket."""
