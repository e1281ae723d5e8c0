"""Image restoration with one conditional diffusion core.

    from diffuse_cli import restore
    clean = restore("scan.png", "denoise")                  # a PIL image
    clean = restore(array, "denoise", noise=25)             # an array again
    painted = stylize("photo.jpg", "painting.jpg")          # the look of another picture
    several = restore_samples(array, "denoise")             # .mean, .samples, and .std: how sure

Importing this imports nothing heavy; the functions come without torch, and the first call imports that.
"""

from typing import TYPE_CHECKING, Any

__all__ = ["__version__", "generate", "restore", "restore_samples", "stylize"]

from .version import __version__

if TYPE_CHECKING:
    from .api import generate, restore, restore_samples, stylize


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute can be anything
    if name in ("generate", "restore", "restore_samples", "stylize"):
        from . import api

        return getattr(api, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
