"""Holes wider than the network's reach: how wide they are, solved coarse to fine, with the texture around them."""
