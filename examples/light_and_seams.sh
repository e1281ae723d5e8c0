#!/usr/bin/env bash
# Enhance, compose and extend, and their inputs above their results: examples/light_and_seams.png
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
to=${1:-out}
mkdir -p "$to"
diffuse enhance -f "$here/cat_dark.png" -o "$to/bright.png"
diffuse compose -f "$here/coffee_table.jpg" --insert "$here/cat_cutout.png" --at 160,48 --blend seam -o "$to/latte.png"
diffuse compose -f "$here/coffee_table.jpg" --insert "$here/cat_cutout.png" --at 160,48 --blend alpha -o "$to/over.png"
diffuse extend -f "$here/coffee_table.jpg" --pad 24,16,24,16 -o "$to/wide.png"
python - "$here" "$to" <<'PYTHON'
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from diffuse_cli.images.image_io import read_picture, to_levels

here, to = map(Path, sys.argv[1:])
columns = (
    (here / "cat_dark.png", to / "bright.png"), (to / "over.png", to / "latte.png"),
    (here / "coffee_table.jpg", to / "wide.png"),
)
pairs = [[to_levels(read_picture(path).pixels, 8) for path in column] for column in columns]
widths = [max(picture.shape[1] for picture in pair) for pair in pairs]
heights = [max(pair[row].shape[0] for pair in pairs) for row in (0, 1)]
sheet = np.full((sum(heights) + 4, sum(widths) + 8, 3), 255, np.uint8)
left = 0
for pair, width in zip(pairs, widths):
    top = 0
    for picture, height in zip(pair, heights):
        h, w = picture.shape[:2]
        sheet[top : top + h, left : left + w] = picture
        top += height + 4
    left += width + 4
Image.fromarray(sheet).save(here / "light_and_seams.png", optimize=True)
PYTHON
