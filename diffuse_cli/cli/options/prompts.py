"""What a model is told to draw."""

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import typer

Text = Annotated[
    str | None,
    typer.Option(
        metavar="TEXT",
        help="What to draw, with --model DIR: the folder of a text-conditioned pipeline of diffusers.",
        rich_help_panel="Pipelines",
    ),
]
"""What a pipeline is told to draw."""

NegativeText = Annotated[
    str | None, typer.Option(metavar="TEXT", help="What not to draw.", rich_help_panel="Pipelines")
]
"""What a pipeline is told not to draw."""


@dataclass(frozen=True, kw_only=True, slots=True)
class PromptOptions:
    """Options for models that are told what to draw."""

    title: ClassVar[str] = "Pipelines"

    prompt: Text = None
    negative_prompt: NegativeText = None
    guidance: Annotated[
        float | None,
        typer.Option(
            metavar="W",
            min=0,
            help="How far towards the prompt. 1 is as learned.",
            show_default="as the pipeline has it",
        ),
    ] = None

    def to_recipe(self) -> dict[str, Any]:
        """Return what was said as a recipe tells it."""
        told = {"prompt": self.prompt, "negative_prompt": self.negative_prompt, "guidance": self.guidance}
        return {name: value for name, value in told.items() if value is not None}


Label = Annotated[
    str | None,
    typer.Option(
        metavar="NAME", help="What to draw, with an imported model that knows labels.", rich_help_panel="Machine"
    ),
]
"""What a class-conditional model is told to draw."""
