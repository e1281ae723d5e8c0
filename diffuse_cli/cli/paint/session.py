"""What the painter's page and the command share: a picture to paint on, and a mask that comes back."""

import io
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ...errors import PictureError, UsageError

Hole = NDArray[np.bool_]
"""(H, W) at the picture's own size, True = fill."""

LARGEST_SIDE: Final = 4096
"""The longer side of the version that is painted on. Not every browser's canvas takes more."""
_PNG_HEAD: Final = 33
_UNOPENED: Final = 600.0
"""Seconds within which the page must be opened."""
_UNHEARD: Final = 180.0
"""Seconds after which a silent page counts as closed. A hidden page may speak only once a minute."""
_GOODBYE: Final = 4.0
"""Seconds within which a page that said goodbye may come back, as it does when it is reloaded."""


@dataclass(kw_only=True, slots=True)
class Session:
    """One picture being painted on.

    Attributes:
        name: the picture's name, as the page shows it.
        size: (width, height) of the picture.
        image: what the page shows: a JPEG of `canvas` size.
        initial: the mask that painting begins with.
        preview: computes a guess of what a mask's result is, counted from 0: a JPEG of `canvas` size.
        suggest: finds what may be damaged, from 0, what surely is, to 1. None = nothing can.
        strength: what `suggest` is asked for at first.
        mask: what was painted, once it is done. None = nothing.
        guess: the guess that is kept.
    """

    name: str
    size: tuple[int, int]
    image: bytes
    initial: Hole | None
    preview: Callable[[Hole, int], bytes]
    suggest: Callable[[float], Hole] | None
    strength: float = 0.5
    mask: Hole | None = None
    guess: int = 0
    _over: threading.Event = field(default_factory=threading.Event)
    _computing: threading.Lock = field(default_factory=threading.Lock)
    _heard: float = field(default_factory=time.monotonic)
    _patience: float = _UNOPENED

    @property
    def canvas(self) -> tuple[int, int]:
        """(width, height) of what is painted on."""
        return canvas_size(self.size)

    def hear(self, *, leaving: bool = False) -> None:
        """Note that the page is there, or that it says goodbye."""
        self._heard = time.monotonic()
        self._patience = _GOODBYE if leaving else _UNHEARD

    def finish(self, mask: Hole | None, guess: int = 0) -> None:
        """Note the user's mask. None = there is none. `end` follows once the page has its answer.

        Args:
            mask: what was painted.
            guess: which of its results is kept.
        """
        self.mask, self.guess = mask, guess

    def end(self) -> None:
        """Let `wait` return."""
        self._over.set()

    def wait(self) -> Hole | None:
        """Wait for the mask. Return None if the user gave up or the page is gone."""
        while not self._over.wait(0.25):
            if self._computing.locked():  # a page that waits for an answer is there
                self._heard = time.monotonic()
            elif time.monotonic() - self._heard > self._patience:
                return None
        return self.mask

    def previewed(self, mask: Hole, guess: int = 0) -> bytes:
        """Return a guess of the result of a mask as a JPEG. One is computed at a time."""
        with self._computing:
            return self.preview(mask, guess)

    def suggestion(self, strength: float) -> bytes:
        """Return what may be damaged, as the page's PNG.

        Raises:
            UsageError: there is no detector, or no such strength.
        """
        if self.suggest is None:
            raise UsageError("there is no detector for this picture")
        if strength > 1:
            raise UsageError(f"a strength is 0 to 1, not {strength:g}")
        with self._computing:
            return self.to_page(self.suggest(strength))

    def to_page(self, hole: Hole) -> bytes:
        """Return a mask as the page paints it: a gray PNG of `canvas` size, white = fill."""
        image = Image.fromarray(np.where(hole, 255, 0).astype(np.uint8))
        if image.size != self.canvas:  # no marked pixel is lost
            image = image.resize(self.canvas, Image.Resampling.BOX).point(lambda level: 255 if level > 0 else 0)
        return png(image)

    def from_page(self, data: bytes) -> Hole:
        """Read a mask that the page sends.

        Raises:
            PictureError: it is not a PNG of `canvas` size.
        """
        width, height = int.from_bytes(data[16:20]), int.from_bytes(data[20:24])
        if len(data) < _PNG_HEAD or not data.startswith(b"\x89PNG") or (width, height) != self.canvas:
            raise PictureError(f"not a PNG of {self.canvas[0]}x{self.canvas[1]} pixels")
        try:
            with Image.open(io.BytesIO(data), formats=("PNG",)) as image:
                gray = image.convert("L")
        except (OSError, ValueError, SyntaxError) as error:
            raise PictureError(f"a PNG that cannot be decoded: {error}") from None
        if gray.size != self.size:
            gray = gray.resize(self.size, Image.Resampling.NEAREST)
        return np.asarray(gray) >= 128


def canvas_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return (width, height) of the version that is painted on: the picture's own, if browsers can take it."""
    factor = min(1.0, LARGEST_SIDE / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def encoded_mask(hole: Hole) -> bytes:
    """Return a mask as a file: a gray PNG of the picture's own size, white = fill."""
    return png(Image.fromarray(np.where(hole, 255, 0).astype(np.uint8)))


def png(image: Image.Image) -> bytes:
    """Return an image as PNG."""
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
