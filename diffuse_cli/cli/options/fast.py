"""`--fast`, which is `--model photo-fast` in one word."""

from typing import Any, Final

from ...errors import UsageError

_RANKS: Final = {"DEFAULT": 0, "DEFAULT_MAP": 1, "ENVIRONMENT": 1, "PROMPT": 2, "COMMANDLINE": 2}
"""Of the places where an option's value may come from. Flags override settings, which override defaults."""


def settle(ctx: Any) -> None:  # noqa: ANN401 - the parser's context, which typer does not export
    """Put the fast model into `--model` where `--fast` is given. A flag overrides what settings say of the other.

    Args:
        ctx: of a command that is parsed.

    Raises:
        UsageError: `--model` names another model in the same place.
    """
    if not ctx.params.get("fast"):
        return
    from ...diffusion.checkpoint import FAST_MODEL

    fast, model = (_RANKS[ctx.get_parameter_source(name).name] for name in ("fast", "model"))
    asked = ctx.params["model"]
    if model > fast:
        ctx.params["fast"] = False
        return
    if model == fast and asked not in (FAST_MODEL, [FAST_MODEL]):
        named = asked if isinstance(asked, str) else " and ".join(asked)
        raise UsageError(f"--fast is --model {FAST_MODEL}, and --model is {named}; give one of them")
    ctx.params["model"] = FAST_MODEL if isinstance(asked, str) else [FAST_MODEL]
