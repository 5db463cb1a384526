"""Networks and a person of the real classes, so small that a second of video takes less."""

import numpy as np
import torch

from cospeech.inference.bundle import Models, Settings
from cospeech.inference.conditioning import Person
from cospeech.models.autoencoders.codec import Codec
from cospeech.models.autoencoders.pose_encoder import PoseEncoder
from cospeech.models.transformers.denoiser import Denoiser
from cospeech.models.warping.deformer import Deformer
from cospeech.pose.drawing import draw_skeletons
from cospeech.sampling.config import StreamConfig
from cospeech.sampling.folded_student import LeanStudent
from cospeech.sampling.quantization import Floating
from cospeech.utils.images import to_tensor
from tests.cospeech.motion.test_model import lively_model
from tests.helpers.keypoints import person

SIZE, RATE, FPS = 64, 16000, 25
_REST = person(1, 9).resized((SIZE, SIZE)).keypoints[0]
SETTINGS = Settings(
    steps=2, shift=2.0, temperature=0.6, window=4, overlap=1, mask=("global", "local"), past_frames=2,
    stream=StreamConfig(chunk=4, frames=6, recent=2), longest=4, precision="fp32", size=SIZE, fps=FPS,
    motion_steps=2, sample_rate=RATE, unseen=(11, 12),
    rest=_REST.astype(float).tolist(),
)  # fmt: skip


def somebody(seed: int = 0, size: int = SIZE) -> Person:
    track = person(1, seed).resized((size, size))
    picture = np.maximum(draw_skeletons(track)[0], 60).astype(np.uint8)
    return Person(picture, track.keypoints[0], track.confidence[0])


def models(settings: Settings = SETTINGS) -> Models:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        codec = Codec(4, encoder_width=8, encoder_blocks=1, decoder_width=8, decoder_blocks=1, detail_width=8).eval()
        pictures = to_tensor(np.stack([somebody(seed).picture for seed in range(4)]))
        codec.fit_patches(pictures)
        codec.fit_statistics(pictures)
        encoder = PoseEncoder(channels=8)
        encoder.fit((pictures + 1) / 2)
        student = Denoiser(4, 8, width=24, layers=2, heads=2, ffn_ratio=2, conv_width=8, reference_warp=True).eval()
        torch.nn.init.normal_(student.conv_last.weight, std=0.2)
        deformer = Deformer(width=16).eval()
        torch.nn.init.normal_(deformer.last.weight, std=0.2)
        motion = lively_model()
    lean = LeanStudent(student, settings.times, Floating(torch.float32))
    return Models(student, lean, codec, deformer, encoder, motion, settings, torch.device("cpu"))


def speech(seconds: float, seed: int = 0) -> np.ndarray:
    """Noise whose loudness comes and goes."""
    rng, count = np.random.default_rng(seed), round(seconds * RATE)
    return (rng.normal(0, 0.1, count) * (1 + np.sin(np.arange(count) / 1500))).astype(np.float32)
