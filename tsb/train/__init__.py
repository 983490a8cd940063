"""Noise-injection training of backbones."""
