"""How help texts look: an example first, the command's own options next, then those that commands share, by title."""

import re
from typing import Any, Final

from typer.core import TyperCommand, TyperGroup

from .fast import settle

OWN: Final = "Options"
"""Title of the options that only this command has."""
TITLES: Final = (OWN, "Pipelines", "Clips", "Samples", "Results", "Batches", "Machine", "Messages")
"""The groups of options, in the order of help texts."""

EXAMPLES: Final = {
    "denoise": "diffuse denoise photo.jpg -o clean.jpg",
    "inpaint": "diffuse inpaint photo.png --mask mask.png -o filled.png",
    "super-resolve": "diffuse super-resolve photo.jpg --scale 4 -o large.png",
    "restore": "diffuse restore scans/ -o restored/",
    "deblur": "diffuse deblur soft.jpg -o sharp.png",
    "dejpeg": "diffuse dejpeg blocky.jpg -o clean.png",
    "repair": "diffuse repair old_print.jpg -o repaired.png",
    "enhance": "diffuse enhance dark.jpg -o bright.jpg",
    "compose": "diffuse compose room.jpg --insert cat.png --at 160,48 -o both.png",
    "fuse": "diffuse fuse a.jpg b.png c.jpg -o best.png",
    "extend": "diffuse extend photo.jpg --aspect 16:9 -o wide.png",
    "stylize": "diffuse stylize photo.jpg --style painting.jpg -o painted.png",
    "generate": "diffuse generate --size 128x128 -n 4 -o drawn/",
    "estimate": "diffuse estimate photo.jpg",
    "degrade": "diffuse degrade clean.png --noise 25 -o noisy.png",
    "info": "diffuse info result.png",
    "replay": "diffuse replay result.png --input photo.jpg",
    "verify": "diffuse verify result.png --against photo.jpg",
    "evaluate": "diffuse evaluate --task denoise --data photos/",
    "bench": "diffuse bench",
    "config": "diffuse config",
    "doctor": "diffuse doctor",
    "serve": "diffuse serve --port 8765",
}
"""One line for each command, under its usage."""


_PLAINLY: Final = (
    (re.compile(r" <(?:list\[)?(?:Path|path|str|int)\]?>$"), ""),
    (re.compile(r"<([^<> ]*)>$"), r"\1"),
    (re.compile(r"\[default: \((.*)\)(?:; x>=\d+)?\]$"), r"[default: \1]"),
    (re.compile(r"\[default: (.*); x>=\d+\]$"), r"[default: \1]"),
    (re.compile(r" *\[x>=\d+\]$"), ""),
)
"""What the parser adds to names and defaults, and what a reader needs of it."""


class Command(TyperCommand):
    """A command whose help has an example and titled groups of options."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:  # noqa: ANN401 - as below
        """Parse the arguments, and name the model that --fast means."""
        rest: list[str] = super().parse_args(ctx, args)
        settle(ctx)
        return rest

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401 - the parser's, which typer does not export
        """Return what follows the command's name, with one pair of brackets at most."""
        bare = {"[INPUTS...]...": "INPUTS...", "{FILES...}...": "FILES...", "[[COMMAND]]": "[COMMAND]"}
        return [bare.get(piece, piece.strip("{}")) for piece in super().collect_usage_pieces(ctx)]

    def format_usage(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - the parser's, which typer does not export
        """Write the usage line, and an example."""
        super().format_usage(ctx, formatter)
        example = EXAMPLES.get(self.name or "")
        if example is not None:
            formatter.write(f"Example: {example}\n")

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - as above
        """Write the arguments and options, one group after the other."""
        groups: dict[str, list[tuple[str, str]]] = {"Arguments": [], **{title: [] for title in TITLES}}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                groups[_title(parameter)].append(plain(record))
        for title, records in groups.items():
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)


class Group(TyperGroup):
    """A command of several, whose help lists each with its whole first sentence."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401 - as above
        """Write the options, then the commands."""
        records = [parameter.get_help_record(ctx) for parameter in self.get_params(ctx)]
        with formatter.section("Options"):
            formatter.write_dl([plain(record) for record in records if record is not None])
        with formatter.section("Commands"):
            formatter.write_dl([(name, one.get_short_help_str(limit=200)) for name, one in self.commands.items()])


def plain(record: tuple[str, str]) -> tuple[str, str]:
    """Return an option's names and help as a reader wants them."""
    names, text = record
    for pattern, replacement in _PLAINLY:
        names, text = pattern.sub(replacement, names), pattern.sub(replacement, text)
    return names, text


def _title(parameter: Any) -> str:  # noqa: ANN401 - as above
    """Return the group of a parameter. Those that help itself has come last."""
    if parameter.param_type_name == "argument":
        return "Arguments"
    if parameter.name == "help":
        return TITLES[-1]
    return getattr(parameter, "rich_help_panel", None) or OWN
