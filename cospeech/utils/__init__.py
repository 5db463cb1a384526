"""Helpers shared by many rooms: devices, images, precision, safetensors, pretrained weights, ffmpeg."""
