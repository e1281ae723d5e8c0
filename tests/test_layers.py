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
    "noise_field": set(),
    "fusion": set(),
    "fill": set(),
    "degradation": {"errors"},
    "network": {"errors"},
    "denoiser": {"fusion", "network"},
    "settings": {"errors"},
    "sampler": {"denoiser", "errors", "settings"},
    "tiling": {"denoiser"},
    "checkpoint": {"errors", "image_io", "network"},
    "device": {"checkpoint", "errors", "network"},
    "task": {"degradation"},
    "request": {
        "degradation", "errors", "estimation.estimate", "estimation.noise_level", "estimation.picture_noise",
        "image_io", "task",
    },
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
        "..checkpoint", "..degradation", "..device", "..encoding", "..errors", "..image_io", "..restoration",
        "..settings",
        "baselines", "hardware", "lpips", "metrics", "protocol", "report",
    },
    "generation_quality": {
        "..checkpoint", "..device", "..errors", "..generation", "..settings", "evaluate", "metrics", "protocol",
    },
    "network_speed": {"..network"},
    "command_speed": {"..errors"},
    "benchmark": {"..checkpoint", "..device", "command_speed", "hardware", "network_speed"},
}  # fmt: skip
"""What measures may use what restores, and never the other way round."""
ESTIMATION: dict[str, set[str]] = {
    "compression": {"..jpeg_tables"},
    "spectrum": set(),
    "resampling": set(),
    "noise_model": {"noise_level"},
    "noise_level": set(),
    "picture_noise": {"..degradation", "..image_io", "..jpeg_tables", "noise_level"},
    "estimate": {
        "..degradation", "..image_io", "..jpeg_tables", "compression", "noise_model", "picture_noise", "resampling",
        "spectrum",
    },
}  # fmt: skip
"""What tells a picture's history."""


def imports(path: Path, level: int = 1) -> set[str]:
    """Modules of the package (or, at level 2, of the one above) that a file names in any import."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == level:
            found |= {node.module} if node.module else {alias.name for alias in node.names}
    return found


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda p: p.stem)
def test_imports_only_what_lies_below(path: Path) -> None:
    if path.stem not in ("__init__", "__main__"):
        assert imports(path) <= ALLOWED[path.stem]


@pytest.mark.parametrize(("folder", "allowed"), [("measure", MEASURE), ("estimation", ESTIMATION)])
def test_folders_import_only_what_lies_below(folder: str, allowed: dict[str, set[str]]) -> None:
    for path in (PACKAGE / folder).glob("*.py"):
        if path.stem != "__init__":
            below = {f"..{name}" for name in imports(path, level=2) - {"__version__"}}
            assert imports(path) | below <= allowed[path.stem], path


TRAIN_BELOW = {"checkpoint", "degradation", "denoiser", "device", "errors", "fill", "fusion", "image_io", "network"}
"""What training is built on; that it is built on restoring's own operators is the point."""
TRAIN: dict[str, set[str]] = {
    "config": set(),
    "masks": set(),
    "muon": set(),
    "ema": set(),
    "schedule": {"config"},
    "distributed": set(),
    "journal": set(),
    "pictures": set(),
    "recipe": {"config"},
    "bank": {"config", "pictures", "recipe"},
    "batch": {"bank", "config", "masks", "recipe"},
    "model": {"batch"},
    "state": {"config", "ema", "model", "muon"},
    "validate": {"bank", "batch", "config", "ema", "model"},
    "run_folder": {"config"},
    "plot": {"journal"},
    "export": {"bank", "config", "journal", "run_folder", "state"},
    "loop": {
        "bank", "batch", "config", "distributed", "ema", "journal", "model", "run_folder", "schedule", "state",
        "validate",
    },
}  # fmt: skip


@pytest.mark.parametrize("path", sorted((PACKAGE / "train").glob("*.py")), ids=lambda p: p.stem)
def test_training_imports_only_what_lies_below(path: Path) -> None:
    if path.stem not in ("__init__", "__main__"):
        assert imports(path) <= TRAIN[path.stem]
        assert imports(path, level=2) - {"__version__"} <= TRAIN_BELOW


def test_nothing_but_its_command_imports_training() -> None:
    for path in [*PACKAGE.glob("*.py"), *(PACKAGE / "cli").glob("*.py")]:
        if path != PACKAGE / "cli" / "train.py":
            names = {name.split(".")[0] for name in imports(path, level=1) | imports(path, level=2)}
            assert "train" not in names, path


def test_commands_compute_nothing() -> None:
    for path in (PACKAGE / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            assert "torch" not in names, path
