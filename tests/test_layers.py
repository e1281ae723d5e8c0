"""Which module may import which: the flow of a picture goes one way."""

import ast
from pathlib import Path

import pytest

import diffuse_cli

PACKAGE = Path(diffuse_cli.__file__).parent
ALLOWED: dict[str, set[str]] = {
    # The core, and what says a task in its terms.
    "errors": set(),
    "atomic": set(),
    "noise_field": set(),
    "box_mean": set(),
    "file_hash": {"errors"},
    "fusion": set(),
    "host_arrays": set(),
    "allocation": set(),
    "gpu_copies": set(),
    "fill": {"degradation"},
    "degradation": {"errors"},
    "network": {"errors"},
    "denoiser": {"fusion", "gpu_copies", "network"},
    "settings": {"errors"},
    "sampler": {"denoiser", "errors", "settings", "tiling"},
    "tiling": {"denoiser", "host_arrays"},
    "evidence": {"degradation", "denoiser", "fill", "mask_shapes", "tiling"},
    "checkpoint": {"errors", "file_hash", "image_file.image_io", "network"},
    "compilation": {"errors", "network"},
    "device": {"checkpoint", "compilation", "errors", "ncnn_network", "network", "settings"},
    "ncnn_network": {"errors", "network"},
    "task": {"degradation", "image_file.picture", "wide_holes.widths"},
    "shrinker": set(),
    "consistency": {"denoiser", "host_arrays", "one_thread", "shrinker"},
    "wide_holes.widths": {"host_arrays"},
    "wide_holes.scales": {"degradation", "denoiser", "fill"},
    "wide_holes.patch_grid": {"wide_holes.widths"},
    "wide_holes.patch_search": {"wide_holes.patch_grid"},
    "wide_holes.patch_vote": {"mask_shapes", "wide_holes.patch_grid", "wide_holes.patch_search", "wide_holes.widths"},
    "wide_holes.seams": set(),
    "wide_holes.texture": {
        "one_thread", "wide_holes.patch_grid", "wide_holes.patch_search", "wide_holes.patch_vote",
        "wide_holes.seams",
    },
    "wide_holes.filling": {
        "denoiser", "device", "estimating", "observing", "settings", "tiling", "wide_holes.patch_search",
        "wide_holes.scales", "wide_holes.texture", "wide_holes.widths",
    },
    "noise_map": {
        "degradation", "errors", "estimation.picture_noise", "estimation.varying_noise", "image_file.image_io",
    },
    "observing": {"degradation", "denoiser", "evidence", "fusion", "task"},
    "estimating": {
        "consistency", "denoiser", "device", "errors", "host_arrays", "noise_field", "observing", "sampler", "settings",
        "tiling",
    },
    "restoration": {
        "consistency", "degradation", "denoiser", "device", "estimating", "evidence", "host_arrays", "mask_shapes",
        "image_file.image_io", "observing", "settings", "style.repainting", "task", "tiling", "wide_holes.filling",
        "wide_holes.widths",
    },
    "mask_picture": {"errors", "image_file.picture"},
    "answers": {"errors", "settings"},
    "trace": {"degradation", "image_file.image_io", "restoration"},
    "samples": {
        "degradation", "device", "errors", "estimating", "host_arrays", "image_file.image_io", "restoration",
        "settings", "task", "trace",
    },
    "uncertainty": {"image_file.image_io"},
    "generation": {"degradation", "denoiser", "device", "errors", "estimating", "observing", "settings", "tiling"},
    "masks": {"errors"},
    "mask_shapes": set(),
    "one_thread": set(),
    "damage": {"degradation", "errors", "image_file.image_io", "masks", "noise_field"},
    "configuration": {"errors"},
    "files_beside": {"atomic", "batches.plan", "errors", "file_hash", "image_file.encoding"},
    "api": {
        "answers", "checkpoint", "device", "errors", "generation", "image_file.image_io", "mask_picture", "noise_map",
        "requests.compose", "requests.denoise", "requests.enhance", "requests.extend", "requests.inpaint",
        "requests.request", "requests.restore", "requests.stylize", "requests.super_resolve", "restoration", "samples",
        "settings", "style.delta", "style.studio", "task",
    },
    "recipe": {"provenance.source_type", "settings"},
    # What is asked for, and what it says of a picture.
    "requests.request": {"errors", "image_file.picture", "task"},
    "requests.denoise": {
        "degradation", "errors", "estimation.noise_level", "estimation.picture_noise", "image_file.image_io",
        "noise_map", "requests.request", "task",
    },
    "requests.inpaint": {
        "degradation", "errors", "estimation.marks", "image_file.image_io", "mask_picture", "mask_shapes",
        "requests.request", "task", "wide_holes.widths",
    },
    "requests.super_resolve": {
        "degradation", "errors", "estimation.picture_noise", "image_file.image_io", "requests.request", "task",
    },
    "requests.restore": {
        "degradation", "errors", "estimation.estimate", "estimation.patching", "estimation.picture_noise",
        "image_file.image_io", "requests.denoise", "requests.inpaint", "requests.request", "requests.super_resolve",
        "task",
    },
    "requests.enhance": {
        "degradation", "estimation.picture_noise", "image_file.picture", "requests.request", "task",
        "tone.enhancement", "tone.light",
    },
    "requests.compose": {
        "composition.blending", "composition.placing", "degradation", "errors", "estimation.picture_noise",
        "estimation.spectrum", "image_file.picture", "provenance.source_type", "requests.request", "task",
    },
    "requests.extend": {"errors", "image_file.picture", "requests.request", "task"},
    "requests.stylize": {
        "degradation", "image_file.picture", "mask_picture", "requests.request", "style.colour_transport", "task",
    },
    # What results say of how they were made.
    "provenance.source_type": set(),
    "provenance.replay": {"errors", "file_hash", "image_file.image_io"},
    "provenance.about": {"image_file.content_credentials", "image_file.image_io", "image_file.xmp", "recipe"},
    "provenance.declared": {
        "degradation", "errors", "image_file.picture", "noise_map", "requests.extend", "requests.inpaint",
        "requests.restore",
    },
    "provenance.verification": {
        "degradation", "estimation.blocks", "image_file.encoder", "image_file.image_io", "noise_field",
        "provenance.declared",
    },
    # Files of pictures.
    "image_file.png16": set(),
    "image_file.exif": set(),
    "image_file.picture": {"errors", "host_arrays"},
    "image_file.content_credentials": set(),
    "image_file.xmp": {"provenance.source_type", "recipe"},
    "image_file.metadata": {"image_file.exif", "image_file.picture", "image_file.xmp"},
    "image_file.npy": {"errors", "image_file.picture"},
    "image_file.tiff": {
        "errors", "image_file.exif", "image_file.metadata", "image_file.picture", "image_file.xmp",
    },
    "image_file.pillow_reader": {
        "atomic", "errors", "host_arrays", "image_file.metadata", "image_file.picture", "image_file.tiff",
    },
    "image_file.optional_formats": {
        "atomic", "errors", "image_file.exif", "image_file.metadata", "image_file.picture", "image_file.pillow_reader",
        "image_file.tiff", "image_file.xmp",
    },
    "image_file.encoding": {
        "atomic", "errors", "image_file.metadata", "image_file.optional_formats", "image_file.picture",
    },
    "image_file.encoder": {
        "host_arrays", "image_file.encoding", "image_file.metadata", "image_file.npy", "image_file.optional_formats",
        "image_file.picture", "image_file.png16", "image_file.tiff",
    },
    "image_file.image_io": {
        "atomic", "errors", "image_file.content_credentials", "image_file.encoder", "image_file.encoding",
        "image_file.npy", "image_file.optional_formats", "image_file.picture", "image_file.pillow_reader",
        "image_file.tiff", "image_file.xmp", "provenance.source_type",
    },
    # Many files.
    "batches.inputs": {"atomic", "errors"},
    "batches.plan": {"atomic", "batches.inputs", "errors"},
    "batches.batch": {"batches.plan", "errors"},
    "batches.journal": {"errors"},
    # What is looked at.
    "view.rendering": {"image_file.picture"},
    "view.comparison": {"view.rendering"},
    "view.previews": {"view.rendering"},
    "view.report": {
        "atomic", "batches.batch", "batches.inputs", "batches.plan", "errors", "image_file.picture", "view.previews",
        "view.rendering",
    },
    "paint.session": {"errors"},
    "paint.server": {"errors", "paint.session"},
    # What looks at a machine and an installation.
    "diagnosis.finding": set(),
    "diagnosis.machine": {"device", "diagnosis.finding", "measure.hardware"},
    "diagnosis.installed": {"diagnosis.finding", "image_file.optional_formats"},
    "diagnosis.self_test": {
        "checkpoint", "device", "diagnosis.finding", "errors", "image_file.image_io", "image_file.picture",
        "requests.denoise", "requests.inpaint", "requests.request", "requests.super_resolve", "restoration",
        "settings",
    },
    "diagnosis.doctor": {
        "checkpoint", "diagnosis.finding", "diagnosis.installed", "diagnosis.machine", "diagnosis.self_test", "errors",
    },
    # What tells a picture's history.
    "estimation.blocks": set(),
    "estimation.components": set(),
    "estimation.patching": set(),
    "estimation.marks": {"box_mean", "estimation.blocks", "estimation.components", "mask_shapes"},
    "estimation.jpeg_tables": set(),
    "estimation.compression": {"estimation.blocks", "estimation.jpeg_tables"},
    "estimation.spectrum": {"estimation.blocks"},
    "estimation.resampling": set(),
    "estimation.noise_model": {"estimation.noise_level"},
    "estimation.shading": {"estimation.noise_level", "estimation.noise_model"},
    "estimation.varying_noise": {
        "degradation", "estimation.noise_level", "estimation.noise_model", "estimation.shading",
    },
    "estimation.noise_level": {"estimation.blocks"},
    "estimation.picture_noise": {
        "degradation", "estimation.blocks", "estimation.jpeg_tables", "estimation.noise_level", "image_file.image_io",
    },
    "estimation.estimate": {
        "degradation", "estimation.compression", "estimation.jpeg_tables", "estimation.noise_model",
        "estimation.picture_noise", "estimation.resampling", "estimation.spectrum", "image_file.image_io",
    },
    # Tone, and what it does to the noise.
    "tone.light": set(),
    "tone.guided": {"box_mean"},
    "tone.white_balance": {"tone.light"},
    "tone.curve": {"tone.light"},
    "tone.light_noise": {"estimation.noise_level", "estimation.noise_model", "tone.light"},
    "tone.evidence": {"degradation", "tone.light", "tone.light_noise"},
    "tone.clarity": {"degradation", "tone.guided"},
    "tone.enhancement": {
        "degradation", "tone.clarity", "tone.curve", "tone.evidence", "tone.light", "tone.light_noise",
        "tone.white_balance",
    },
    # One picture in another.
    "composition.placing": {"degradation"},
    "composition.region": {"mask_shapes"},
    "composition.matching": {"composition.placing", "composition.region", "degradation", "mask_shapes", "tone.light"},
    "composition.membrane": {"composition.placing", "composition.region", "degradation", "fill", "mask_shapes"},
    "composition.blending": {
        "composition.matching", "composition.membrane", "composition.placing", "composition.region", "noise_field",
    },
    # The look of one picture on another. What learns it is built on training.
    "style.colour_transport": set(),
    "style.repainting": {"degradation", "task"},
    "style.delta": {"device", "errors", "image_file.image_io", "style.colour_transport"},
    "style.fine_tuning": {
        "checkpoint", "degradation", "errors", "network", "train.batch", "train.config", "train.model", "train.recipe",
        "train.schedule", "train.state",
    },
    "style.studio": {
        "checkpoint", "degradation", "device", "errors", "file_hash", "image_file.image_io",
        "style.colour_transport", "style.delta", "style.fine_tuning",
    },
    # What measures, which may use what restores and never the other way round.
    "measure.metrics": set(),
    "measure.hardware": set(),
    "measure.lpips": {"errors", "measure.metrics"},
    "measure.style_distance": {"measure.lpips"},
    "measure.report": {"errors"},
    "measure.plot": {"errors", "image_file.image_io", "measure.report"},
    "measure.protocol": {
        "damage", "degradation", "errors", "image_file.image_io", "masks", "measure.metrics", "requests.denoise",
        "requests.restore", "task",
    },
    "measure.baselines": {"degradation", "measure.protocol"},
    "measure.calibration": {"degradation"},
    "measure.evaluate": {
        "checkpoint", "degradation", "device", "errors", "image_file.encoding", "image_file.image_io",
        "measure.baselines", "measure.calibration", "measure.hardware", "measure.lpips", "measure.metrics",
        "measure.protocol", "measure.report", "samples", "settings",
    },
    "measure.generation_quality": {
        "checkpoint", "device", "errors", "generation", "measure.evaluate", "measure.metrics", "measure.protocol",
        "settings",
    },
    "measure.network_speed": {"network"},
    "measure.command_speed": {"errors"},
    "measure.region_speed": {"device", "estimating", "noise_field", "observing", "settings", "task"},
    "measure.benchmark": {
        "checkpoint", "device", "measure.command_speed", "measure.hardware", "measure.network_speed",
        "measure.region_speed",
    },
    # What trains.
    "train.config": set(),
    "train.masks": set(),
    "train.muon": set(),
    "train.ema": set(),
    "train.schedule": {"train.config"},
    "train.distributed": set(),
    "train.journal": set(),
    "train.pictures": set(),
    "train.recipe": {"train.config"},
    "train.bank": {"train.config", "train.pictures", "train.recipe"},
    "train.batch": {"train.bank", "train.config", "train.masks", "train.recipe"},
    "train.model": {"train.batch"},
    "train.state": {"train.config", "train.ema", "train.model", "train.muon"},
    "train.validate": {"train.bank", "train.batch", "train.config", "train.ema", "train.model"},
    "train.run_folder": {"train.config"},
    "train.plot": {"train.journal"},
    "train.export": {"train.bank", "train.config", "train.journal", "train.run_folder", "train.state"},
    "train.loop": {
        "train.bank", "train.batch", "train.config", "train.distributed", "train.ema", "train.journal", "train.model",
        "train.run_folder", "train.schedule", "train.state", "train.validate",
    },
}  # fmt: skip
TRAIN_BELOW = {
    "checkpoint", "degradation", "denoiser", "device", "errors", "fill", "fusion", "image_file.image_io", "network",
    "one_thread",
}  # fmt: skip
"""What training is built on besides; that it is built on restoring's own operators is the point."""


def modules() -> list[str]:
    """Every module of the package by its dotted name, the command line's and the packages' own left out."""
    names = [".".join(path.relative_to(PACKAGE).with_suffix("").parts) for path in sorted(PACKAGE.rglob("*.py"))]
    return [name for name in names if not name.endswith(("__init__", "__main__")) and not name.startswith("cli.")]


def imports(module: str) -> set[str]:
    """Modules of this package that a module names in any import, by their dotted names."""
    path = PACKAGE / (module.replace(".", "/") + ".py")
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            above = module.split(".")[: -node.level]
            named = [node.module] if node.module else [alias.name for alias in node.names]
            found |= {".".join([*above, name]) for name in named} - {"__version__"}
    return found


@pytest.mark.parametrize("module", modules())
def test_imports_only_what_lies_below(module: str) -> None:
    below = TRAIN_BELOW if module.startswith("train.") else set()
    assert imports(module) <= ALLOWED[module] | below


def test_every_rule_is_about_a_module_that_exists() -> None:
    assert ALLOWED.keys() == set(modules())
    assert set().union(*ALLOWED.values(), TRAIN_BELOW) <= set(modules())


def test_nothing_but_its_command_and_styles_import_training() -> None:
    commands = {f"cli.{path.stem}" for path in (PACKAGE / "cli").glob("*.py")} - {"cli.train"}
    others = [name for name in modules() if not name.startswith("train.") and name != "style.fine_tuning"]
    for module in others + sorted(commands):
        assert not any(name.startswith("train") for name in imports(module)), module


def test_commands_compute_nothing() -> None:
    for path in (PACKAGE / "cli").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
            assert "torch" not in names, path
