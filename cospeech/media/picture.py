"""Decoded frames as they are meant to be seen: whole pictures instead of half ones, square pixels, turned."""

from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

if TYPE_CHECKING:
    import av
    from av.container import InputContainer


def video_frames(container: "InputContainer") -> "Iterator[av.VideoFrame]":
    """Decode the first video stream; from its first interlaced frame on, deinterlaced, one picture for two fields."""
    stream = container.streams.video[0]
    deinterlacer: _Deinterlacer | None = None
    frame: av.VideoFrame | None = None
    for packet in container.demux(stream):
        if packet.size == 0 and packet.pts is not None:  # Theora's way of saying that the picture stays
            if frame is not None:
                frame.pts, frame.time_base = packet.pts, packet.time_base
                yield frame
            continue
        for frame in packet.decode():
            if frame.interlaced_frame and deinterlacer is None:
                deinterlacer = _Deinterlacer(stream)
            yield from deinterlacer.push(frame) if deinterlacer else [frame]
    if deinterlacer:
        yield from deinterlacer.push(None)


class _Deinterlacer:
    def __init__(self, stream: "av.VideoStream") -> None:
        import av

        self._graph = av.filter.Graph()
        source, sink = self._graph.add_buffer(template=stream), self._graph.add("buffersink")
        bwdif = self._graph.add("bwdif", "mode=send_frame:deint=interlaced")
        source.link_to(bwdif)
        bwdif.link_to(sink)
        self._graph.configure()

    def push(self, frame: "av.VideoFrame | None") -> "Iterator[av.VideoFrame]":
        """Those that are done; None: nothing follows."""
        import av

        self._graph.vpush(frame)
        while True:
            try:
                yield self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return


def shown(frame: "av.VideoFrame", aspect: Fraction | None) -> np.ndarray:
    """The picture (H, W, 3) as a player shows it. aspect: width to height of the stream's pixels; None: square."""
    picture: np.ndarray = frame.to_ndarray(format="rgb24")
    if aspect and aspect != 1:  # enlarged, so that nothing is lost
        height, width = picture.shape[:2]
        size = (round(width * aspect), height) if aspect > 1 else (width, round(height / aspect))
        picture = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(_turned(picture, frame))


def _turned(picture: np.ndarray, frame: "av.VideoFrame") -> np.ndarray:
    """By the display matrix, in right angles and mirrored, as ffmpeg does it."""
    side_data = cast("Mapping[str, bytes]", frame.side_data)  # PyAV's own type names motion vectors alone
    if "DISPLAYMATRIX" not in side_data:
        return picture
    matrix = np.frombuffer(bytes(side_data["DISPLAYMATRIX"]), "<i4")
    right_right, right_down, down_right, down_down = matrix[[0, 1, 3, 4]].tolist()
    if abs(right_right) < abs(right_down):  # what runs right in the file runs down or up on the screen
        picture = picture.swapaxes(0, 1)
        across, along = down_right, right_down
    else:
        across, along = right_right, down_down
    return picture[:: -1 if along < 0 else 1, :: -1 if across < 0 else 1]
