"""The mask painter: a page on this machine alone, and the server behind it."""
