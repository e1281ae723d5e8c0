"""Give one picture the look of another: its colours, and a texture that the core learns and draws with."""
