"""What a JPEG's blocks say of a result: its coefficients lie in known intervals. Start with `finishing`."""
