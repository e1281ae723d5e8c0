"""The look of one picture on another: its colours, and a texture that the core learns and paints with."""
