"""Inputs of this folder beside their results: python examples/compare.py RESULTS OUT.png"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw

HERE = Path(__file__).resolve().parent
PAIRS = (
    ("denoise", "cat_noisy.png", (100, 30, 420, 270)),
    ("denoise (a JPEG)", "rocket_noisy.jpg", (160, 140, 480, 380)),
    ("inpaint", "camera_scratched.png", (120, 40, 440, 280)),
    ("super-resolve x4", "coffee_small.png", (0, 0, 320, 240)),
)
LABEL = 16


def main(results: Path, out: Path) -> None:
    """One column a job: the input above, the result below, both at 1:1 (the small input enlarged by nearest pixels)."""
    width, height = 320, 240
    sheet = Image.new("RGB", (len(PAIRS) * (width + 4) - 4, 2 * height + 4 + LABEL), "white")
    draw = ImageDraw.Draw(sheet)
    for k, (label, name, box) in enumerate(PAIRS):
        left = k * (width + 4)
        draw.text((left + 2, 2), label, fill="black")
        with Image.open(results / name) as after, Image.open(HERE / name) as before:
            enlarged = before.resize(after.size, Image.Resampling.NEAREST)
            sheet.paste(enlarged.convert("RGB").crop(box), (left, LABEL))
            sheet.paste(after.convert("RGB").crop(box), (left, LABEL + height + 4))
    sheet.save(out, optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
