"""Tone in linear light: exposure, black and white point, white balance, clarity, and what they do to the noise."""
