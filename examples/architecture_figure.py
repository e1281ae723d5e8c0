"""Draw a picture's way through the rooms: python examples/architecture_figure.py examples/architecture.svg

The lanes are the layers of the contract in .importlinter.
"""

import configparser
import sys
from itertools import pairwise
from pathlib import Path
from xml.sax.saxutils import escape

ROOT = Path(__file__).resolve().parents[1]
WAY = (
    ("cli", "options,", "input names"),
    ("images", "read file to", "a Picture"),
    ("tasks", "options to", "a Problem"),
    ("degradation", "estimate", "noise, JPEG,", "blur"),
    ("restoration", "Problem to", "observation"),
    ("diffusion", "tiles,", "denoiser,", "network"),
    ("restoration", "estimate to", "a Picture"),
    ("provenance", "recipe"),
    ("images", "write file"),
    ("cli", "report,", "exit code"),
)
"""Room, and what happens there, line by line."""

NAMES, STEP, LANE, BOX = 96, 98, 58, (92, 50)
TOP = 10
STYLE = 'font-family="DejaVu Sans, Verdana, Helvetica, Arial, sans-serif"'
INK, LINE, FILL = "#1f2933", "#9aa5b1", "#e3f0fb"


def lanes() -> list[list[str]]:
    """Rooms of each layer, from the top down."""
    contracts = configparser.ConfigParser()
    contracts.read(ROOT / ".importlinter")
    layers = contracts["importlinter:contract:layers"]["layers"].split("\n")
    return [[name.strip().removeprefix("diffuse_cli.") for name in layer.split("|")] for layer in layers if layer]


def text(x: float, y: float, words: str, size: float, anchor: str = "middle") -> str:
    return f'<text x="{x:g}" y="{y:g}" font-size="{size:g}" text-anchor="{anchor}" fill="{INK}">{escape(words)}</text>'


def figure() -> str:
    """The SVG."""
    rooms = lanes()
    row = {name: k for k, lane in enumerate(rooms) for name in lane}
    width, height = NAMES + STEP * len(WAY) + 6, TOP + LANE * len(rooms) + 6
    parts = [f'<rect width="{width}" height="{height}" fill="white"/>']
    for k, lane in enumerate(rooms):
        y = TOP + LANE * k
        parts.append(f'<rect x="4" y="{y}" width="{width - 8}" height="{LANE - 4}" rx="4" fill="#f5f7fa"/>')
        for j, name in enumerate(lane):
            shift = 15 * j - 7.5 * (len(lane) - 1)
            parts.append(text(14, y + LANE / 2 + 2.5 + shift, name, 13, "start"))
    centres = [(NAMES + STEP * (k + 0.5), TOP + LANE * row[room] + LANE / 2 - 2) for k, (room, *_) in enumerate(WAY)]
    for (x0, y0), (x1, y1) in pairwise(centres):
        down = 1 if y1 > y0 else -1
        corner = f"H {x1 - 10:g} Q {x1:g} {y0:g} {x1:g} {y0 + 10 * down:g}"
        path = f"M {x0 + BOX[0] / 2:g} {y0:g} {corner} V {y1 - down * BOX[1] / 2:g}"
        parts.append(f'<path d="{path}" fill="none" stroke="{LINE}" stroke-width="2" marker-end="url(#tip)"/>')
    for k, ((left, top), (_, *words)) in enumerate(zip(centres, WAY, strict=True), 1):
        corner = f'x="{left - BOX[0] / 2:g}" y="{top - BOX[1] / 2:g}" width="{BOX[0]}" height="{BOX[1]}"'
        parts.append(f'<rect {corner} rx="6" fill="{FILL}" stroke="{LINE}"/>')
        for j, line in enumerate([f"{k}. {words[0]}", *words[1:]]):
            parts.append(text(left, top + 4 + 14.5 * (j - (len(words) - 1) / 2), line, 11.5))
    tip = (
        '<defs><marker id="tip" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" markerHeight="7" orient="auto">'
        f'<path d="M 0 0 L 10 5 L 0 10 z" fill="{LINE}"/></marker></defs>'
    )
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" {STYLE}>'
    return "\n".join([head, tip, *parts, "</svg>\n"])


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(figure())
