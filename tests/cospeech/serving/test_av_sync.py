"""What is heard and what is seen of it stay together, through all rates."""

import numpy as np
import pytest

from cospeech.serving.av_sync import AvSync
from cospeech.serving.mp4_stream import SAMPLE_RATE, Mp4Stream
from tests.cospeech.serving.test_audio_input import tone
from tests.cospeech.serving.test_mp4_stream import decoded

SIZE, FPS, RATE = 64, 25, 16000


class Lamp:
    """Draws a frame bright when what is heard during it is loud; five frames late, as a model that looks ahead."""

    def __init__(self) -> None:
        self._heard, self._drawn = np.zeros(0, np.float32), 0

    def push(self, samples: np.ndarray, late: int = 5) -> np.ndarray:
        self._heard = np.concatenate([self._heard, samples])
        frames = []
        while (self._drawn + 1 + late) * RATE // FPS <= len(self._heard):
            part = self._heard[self._drawn * RATE // FPS : (self._drawn + 1) * RATE // FPS]
            frames.append(np.full((SIZE, SIZE, 3), 230 if np.abs(part).mean() > 0.1 else 20, np.uint8))
            self._drawn += 1
        return np.array(frames, np.uint8).reshape(-1, SIZE, SIZE, 3)

    def finish(self) -> np.ndarray:
        return self.push(np.zeros(-len(self._heard) % (RATE // FPS), np.float32), late=0)


@pytest.mark.parametrize("rate", [16000, 44100, 48000])
def test_light_and_sound_together(rate: int) -> None:
    """Tones of two frames; light and sound begin within a tenth of a frame of each other."""
    starts = (0.4, 1.2, 2.0)
    voice = np.zeros(round(2.5 * rate), np.float32)
    for start in starts:
        voice[round(start * rate) : round((start + 0.08) * rate)] = tone(0.08, rate)
    talk = AvSync(Lamp(), Mp4Stream(SIZE, FPS), rate, RATE, FPS)
    piece = rate // 50
    film = b"".join(talk.push(voice[start : start + piece]) for start in range(0, len(voice), piece)) + talk.finish()
    seen, heard = decoded(film)
    assert len(seen) in (62, 63)
    bright = np.array([time for time, light in seen if light > 150])
    track = np.concatenate([samples for _, samples in heard])
    loud = np.flatnonzero(np.abs(track) > 0.2) / SAMPLE_RATE + heard[0][0]
    for start in starts:
        light, sound = (times[times > start - 0.1].min() for times in (bright, loud))
        assert abs(light - start) < 0.001
        assert abs(sound - light) < 0.008


def test_a_voice_that_ends_within_a_frame_is_shown_to_its_end() -> None:
    talk = AvSync(Lamp(), Mp4Stream(SIZE, FPS), RATE, RATE, FPS)
    seen, heard = decoded(talk.push(tone(0.31, RATE)) + talk.finish())
    assert len(seen) == 8
    assert heard[-1][0] + 1024 / SAMPLE_RATE == pytest.approx(0.32, abs=0.03)


def test_no_frame_waits_for_its_sound_nor_runs_the_sound_far_ahead() -> None:
    talk, film, voice = AvSync(Lamp(), Mp4Stream(SIZE, FPS), RATE, RATE, FPS), b"", tone(2.0, RATE)
    for start in range(0, len(voice), 320):
        film += talk.push(voice[start : start + 320])
        if film:
            seen, heard = decoded(film)
            assert 0 <= heard[-1][0] + 1024 / SAMPLE_RATE - (seen[-1][0] + 1 / FPS) < 0.11


def test_nothing_said() -> None:
    talk = AvSync(Lamp(), Mp4Stream(SIZE, FPS), RATE, RATE, FPS)
    assert talk.finish() == b""
