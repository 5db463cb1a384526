"""Read and write video, sound and images. Frames are (T, H, W, 3) uint8 RGB, speech is float32 in -1..1."""

from cospeech.media.container import open_media, sound_frames, sound_streams
from cospeech.media.downmix import Downmix
from cospeech.media.images import contact_sheet, read_picture, save_png
from cospeech.media.sound import DecodedSpeech, decode_speech, read_speech, write_speech
from cospeech.media.video import (
    SourceInfo,
    iter_constant_rate,
    iter_frames,
    iter_timed_frames,
    probe,
    read_frames,
    sample_frames,
    write_video,
)
from cospeech.utils.ffmpeg import MediaError

__all__ = [
    "DecodedSpeech",
    "Downmix",
    "MediaError",
    "SourceInfo",
    "contact_sheet",
    "decode_speech",
    "iter_constant_rate",
    "iter_frames",
    "iter_timed_frames",
    "open_media",
    "probe",
    "read_frames",
    "read_picture",
    "read_speech",
    "sample_frames",
    "save_png",
    "sound_frames",
    "sound_streams",
    "write_speech",
    "write_video",
]
