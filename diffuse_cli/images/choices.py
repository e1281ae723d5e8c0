"""What a result's file may keep of its input's. Costs nothing to import."""

from typing import Literal

Depth = Literal["keep", "8", "16"]
"""Bits per channel; "keep" = the input's."""
Damaged = Literal["keep", "refuse", "inpaint"]
"""What becomes of a damaged JPEG or animation: what is there is restored, it is refused, or gaps are filled first."""
Policy = Literal["keep", "safe", "strip"]
"""Which metadata is handed on: all, all but what identifies people and devices, or the colour profile alone."""

Codec = Literal["h264", "hevc", "ffv1"]
"""How a clip is coded."""
