"""Which module may import which: the flow of a picture goes one way."""

import ast
from pathlib import Path

import pytest

import diffuse_cli

PACKAGE = Path(diffuse_cli.__file__).parent
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "png16": set(),
    "atomic": set(),
    "exif": set(),
    "picture": {"errors"},
    "metadata": {"exif", "picture", "recipe"},
    "npy": {"errors", "picture"},
    "tiff": {"errors", "exif", "metadata", "picture"},
    "pillow_reader": {"atomic", "errors", "metadata", "picture", "tiff"},
    "optional_formats": {"atomic", "errors", "exif", "metadata", "picture", "pillow_reader", "tiff"},
    "encoding": {"atomic", "errors", "metadata", "optional_formats", "picture"},
    "encoder": {"encoding", "metadata", "npy", "optional_formats", "picture", "png16", "tiff"},
    "image_io": {
        "atomic", "encoder", "encoding", "errors", "npy", "optional_formats", "picture", "pillow_reader", "tiff",
    },
    "jpeg_tables": set(),
    "noise_level": set(),
    "noise_field": set(),
    "fusion": set(),
    "fill": set(),
    "degradation": {"errors"},
    "network": {"errors"},
    "denoiser": {"fusion", "network"},
    "settings": {"errors"},
    "sampler": {"denoiser", "errors", "settings"},
    "tiling": {"denoiser"},
    "checkpoint": {"errors", "network"},
    "device": {"checkpoint", "errors", "network"},
    "task": {"degradation"},
    "request": {"degradation", "errors", "image_io", "jpeg_tables", "noise_level", "task"},
    "restoration": {
        "degradation", "denoiser", "device", "errors", "fill", "image_io", "noise_field", "sampler", "settings", "task",
        "tiling",
    },
    "generation": {"degradation", "denoiser", "device", "errors", "restoration", "settings", "tiling"},
    "masks": {"errors"},
    "damage": {"degradation", "errors", "image_io", "masks", "noise_field"},
    "inputs": {"atomic", "errors"},
    "plan": {"atomic", "errors", "inputs"},
    "batch": {"errors", "plan"},
    "journal": {"errors"},
    "configuration": {"errors"},
    "recipe": {"__version__", "settings"},
    "mask_files": {"atomic", "encoding", "errors", "image_io", "plan", "request"},
    "api": {"device", "errors", "generation", "image_io", "request", "restoration", "settings"},
}  # fmt: skip

MEASURE: dict[str, set[str]] = {
    "metrics": set(),
    "hardware": set(),
    "lpips": {"..errors", "metrics"},
    "report": {"..errors"},
    "protocol": {
        "..damage", "..degradation", "..errors", "..image_io", "..masks", "..request", "..task", "metrics",
    },
    "baselines": {"..degradation", "protocol"},
    "evaluate": {
        "..", "..checkpoint", "..degradation", "..device", "..encoding", "..errors", "..image_io", "..restoration",
        "..settings",
        "baselines", "hardware", "lpips", "metrics", "protocol", "report",
    },
    "generation_quality": {
        "..checkpoint", "..device", "..errors", "..generation", "..settings", "evaluate", "metrics", "protocol",
    },
    "network_speed": {"..network"},
    "command_speed": {"..errors"},
    "benchmark": {"..", "..checkpoint", "..device", "command_speed", "hardware", "network_speed"},
}  # fmt: skip
"""What measures may use what restores, and never the other way round."""


def imports(path: Path) -> set[str]:
    """Modules of the package that a file names in any import, also inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 1:
            found |= {node.module} if node.module else {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 2:
            found.add(f"..{node.module or ''}")
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda p: p.stem)
def test_imports_only_what_lies_below(path: Path) -> None:
    if path.stem not in ("__init__", "__main__"):
        assert imports(path) <= ALLOWED[path.stem]


@pytest.mark.parametrize("path", sorted((PACKAGE / "measure").glob("*.py")), ids=lambda p: p.stem)
def test_measuring_imports_only_what_lies_below(path: Path) -> None:
    if path.stem != "__init__":
        assert imports(path) <= MEASURE[path.stem]


def test_commands_compute_nothing() -> None:
    for path in (PACKAGE / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            assert "torch" not in names, path
