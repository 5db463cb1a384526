"""The networks: codec, denoiser, deformer, motion, lip-sync expert."""
