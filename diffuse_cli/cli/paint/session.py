"""What the painter's page and the command agree on: a picture to paint on, a mask that comes back."""

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
"""Of the version that is painted on; a browser's canvas takes no more everywhere."""
_PNG_HEAD: Final = 33
_UNOPENED: Final = 600.0
"""Seconds in which the page must be opened."""
_UNHEARD: Final = 180.0
"""Seconds without a word from the page after which it counts as closed; a hidden page may speak but once a minute."""
_GOODBYE: Final = 4.0
"""Seconds that a page which said goodbye has to come back, as it does when it is loaded again."""


@dataclass(kw_only=True, slots=True)
class Session:
    """One picture being painted on.

    Attributes:
        name: of the picture, as the page shows it.
        size: (width, height) of the picture.
        image: what the page shows, JPEG, of `canvas` size.
        initial: the mask that painting begins with.
        preview: computes the result of a mask; JPEG of `canvas` size.
        suggest: finds what may be damaged; None = there is nothing that can.
        mask: what was painted, once it is done; None = nothing.
    """

    name: str
    size: tuple[int, int]
    image: bytes
    initial: Hole | None
    preview: Callable[[Hole], bytes]
    suggest: Callable[[], Hole] | None
    mask: Hole | None = None
    _over: threading.Event = field(default_factory=threading.Event)
    _computing: threading.Lock = field(default_factory=threading.Lock)
    _heard: float = field(default_factory=time.monotonic)
    _patience: float = _UNOPENED

    @property
    def canvas(self) -> tuple[int, int]:
        """(width, height) of what is painted on."""
        return canvas_size(self.size)

    def hear(self, *, leaving: bool = False) -> None:
        """The page is there, or says that it goes."""
        self._heard = time.monotonic()
        self._patience = _GOODBYE if leaving else _UNHEARD

    def finish(self, mask: Hole | None) -> None:
        """What the user decided; None = without a mask. `end` follows, once the page has been told."""
        self.mask = mask

    def end(self) -> None:
        """Whoever waits may go on."""
        self._over.set()

    def wait(self) -> Hole | None:
        """What was painted; None if the user gave up or the page is gone."""
        while not self._over.wait(0.25):
            if self._computing.locked():  # a page that waits for an answer is there
                self._heard = time.monotonic()
            elif time.monotonic() - self._heard > self._patience:
                return None
        return self.mask

    def previewed(self, mask: Hole) -> bytes:
        """The result of a mask, JPEG; one at a time."""
        with self._computing:
            return self.preview(mask)

    def suggestion(self) -> bytes:
        """What may be damaged, as the page's PNG.

        Raises: UsageError: nothing here can tell.
        """
        if self.suggest is None:
            raise UsageError("there is no detector for this picture")
        with self._computing:
            return self.to_page(self.suggest())

    def to_page(self, hole: Hole) -> bytes:
        """A mask as the page paints on it: PNG, gray, white = fill."""
        image = Image.fromarray(np.where(hole, 255, 0).astype(np.uint8))
        if image.size != self.canvas:  # no marked pixel is lost
            image = image.resize(self.canvas, Image.Resampling.BOX).point(lambda level: 255 if level > 0 else 0)
        return png(image)

    def from_page(self, data: bytes) -> Hole:
        """A mask as the page sends it.

        Raises: PictureError: it is no PNG of the canvas's size.
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
    """(width, height) of the version of a picture that is painted on: its own where a browser can take it."""
    factor = min(1.0, LARGEST_SIDE / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def encoded_mask(hole: Hole) -> bytes:
    """A mask as a file: PNG, gray, white = fill, at the picture's own size."""
    return png(Image.fromarray(np.where(hole, 255, 0).astype(np.uint8)))


def png(image: Image.Image) -> bytes:
    """An image's PNG."""
    stream = io.BytesIO()
    image.save(stream, "PNG")
    return stream.getvalue()
