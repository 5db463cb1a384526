"""What one visitor may take."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Times are seconds. What is over a limit is refused or ended with a message that names it."""

    picture_bytes: int = 10_000_000
    picture_pixels: int = 40_000_000
    people: int = 100
    """Uploaded pictures kept at the same time; the oldest goes first."""
    people_seconds: float = 1800
    """How long an uploaded picture is kept."""
    voice_bytes: int = 30_000_000
    """Of an uploaded file."""
    voice_seconds: float = 300
    """The longest talk."""
    upload_seconds: float = 60
    """For a picture, or a voice, to arrive."""
    waiting: int = 20
    """Visitors in the queue."""
    waiting_seconds: float = 1800
    hold_seconds: float = 900
    """The longest that one visitor's drawing may take."""
    idle_seconds: float = 90
    """Without a sign of the visitor; the page gives one every few seconds, in a hidden tab every minute."""
    quiet_seconds: float = 120
    """Of a microphone in which nobody speaks."""
    behind_seconds: float = 15
    """Of speech that waits to be heard because drawing is slower than speaking."""
    stall_seconds: float = 30
    """Without one piece of the film getting through to the visitor."""
    pieces: int = 50
    """Of the film, that wait to be sent; about a frame each."""
    message_bytes: int = 262_144
    """One message on the websocket."""
