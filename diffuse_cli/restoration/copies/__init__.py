"""Several copies of one picture: registered, matched in light, weighed, and fused into one observation."""
