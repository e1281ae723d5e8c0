#!/usr/bin/env bash
# Two photographs in the style of a painting, at strengths 0.4 and 0.8, beside the painting: examples/stylized.jpg
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
to=${1:-out}
mkdir -p "$to"
python - "$to" <<'PYTHON'
import sys

import skimage.data
from PIL import Image

for name in ("chelsea", "coffee"):
    image = Image.fromarray(getattr(skimage.data, name)())
    image.crop((0, 0, 450, 300) if name == "chelsea" else (75, 50, 525, 350)).save(f"{sys.argv[1]}/{name}.png")
PYTHON
style=("--style" "$here/auvers.jpg")
for strength in 0.4 0.8; do
    diffuse stylize -f "$to/chelsea.png" "$to/coffee.png" "${style[@]}" --strength "$strength" -o "$to/{stem}_$strength.png"
done
python - "$here" "$to" <<'PYTHON'
import sys
from pathlib import Path

from PIL import Image

here, to = map(Path, sys.argv[1:])
sheet = Image.new("RGB", (3 * 454 + 388, 604), "white")
with Image.open(here / "auvers.jpg") as painting:
    sheet.paste(painting.resize((384, 301), Image.Resampling.LANCZOS), (0, 151))
for row, name in enumerate(("chelsea", "coffee")):
    for column, strength in enumerate(("", "_0.4", "_0.8")):
        sheet.paste(Image.open(to / f"{name}{strength}.png"), (388 + 454 * column, 304 * row))
sheet.save(here / "stylized.jpg", quality=90, optimize=True)
PYTHON
