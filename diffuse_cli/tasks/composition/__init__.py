"""Put one picture into another: where it lies, how it is matched, and what is uncertain along the seam."""
