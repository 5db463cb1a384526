"""Pixels to latents and back: the embedded codec, the pose encoder, the VAE of Wan."""
