"""Putting one picture into another: where it lies, how it is matched, and what is unsure around the seam."""
