"""The way of a sample, as one picture: the estimate at each step, with the step's sigma."""

import math
from typing import Final

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ..degradation.operators import resize, scaled_size
from ..images.image_io import Picture, Source, to_levels, to_unit
from ..images.tensors import to_array
from ..images.units import LEVEL

SIDE: Final = 384
"""Most pixels of the longer side of each estimate in the sheet; larger ones are shrunk."""
_LEAST_WIDTH, _GAP, _LABEL, _TEXT = 96, 4, 18, 13


class Trace:
    """An `OnStep` that keeps a small picture of the estimate at each step of a sample."""

    def __init__(self) -> None:
        """Begin with no steps."""
        self.steps: list[tuple[float, Image.Image]] = []

    def begin(self, mean: Tensor) -> None:
        """Keep the mean (1, 3, H, W) that the sample starts from."""
        self(math.inf, mean)

    def __call__(self, sigma: float, denoised: Tensor) -> None:
        """Keep the estimate (1, 3, H, W) of a step at this sigma."""
        h, w = denoised.shape[-2:]
        factor = SIDE / max(h, w)
        if factor < 1:
            denoised = resize(denoised, scaled_size((h, w), factor))
        # After running out of memory a sample begins again, and Heun's method asks twice at a sigma.
        self.steps = [step for step in self.steps if step[0] > sigma]
        self.steps.append((sigma, Image.fromarray(to_levels(to_array(denoised, 3), 8))))

    def sheet(self, pages: int = 1) -> Picture:
        """Return all estimates in rows, from the first to the last, each below its label.

        Args:
            pages: of the file that the sheet will be in.
        """
        width, height = self.steps[0][1].size
        cell = max(width, _LEAST_WIDTH) + _GAP, height + _LABEL + _GAP
        columns = math.ceil(math.sqrt(len(self.steps) * cell[1] / cell[0]))
        rows = math.ceil(len(self.steps) / columns)
        canvas = Image.new("RGB", (columns * cell[0] + _GAP, rows * cell[1] + _GAP), (32, 32, 32))
        draw, font = ImageDraw.Draw(canvas), ImageFont.load_default(_TEXT)
        for number, (sigma, image) in enumerate(self.steps):
            x, y = _GAP + number % columns * cell[0], _GAP + number // columns * cell[1]
            draw.text((x, y), _label(sigma), (255, 255, 255), font)
            canvas.paste(image, (x, y + _LABEL))
        return Picture(pixels=to_unit(np.asarray(canvas), 8), source=Source(pages=pages))


def _label(sigma: float) -> str:
    """Return the label of a step, its sigma in 8-bit levels."""
    return "mean" if math.isinf(sigma) else f"sigma {sigma * LEVEL:.3g}"
