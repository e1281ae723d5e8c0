"""Holes wider than the network's reach, filled coarse to fine with the texture around them. Start with `filling`."""
