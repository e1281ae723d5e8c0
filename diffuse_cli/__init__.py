"""Image restoration with one conditional diffusion core.

    from diffuse_cli import Denoise, Model, SuperResolve, restore, sample

    model = Model.load("photo", device="auto")
    image = restore("scan.png", Denoise(noise=25), model=model)          # a PIL image
    several = sample(array, SuperResolve(scale=2), count=4, model=model)  # .mean, .samples, .average, .std

The names in `__all__` are the public API; docs/python.md explains them. Everything else is internal. Importing this
package imports nothing heavy. The first call imports torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import errors
from .version import __version__

if TYPE_CHECKING:
    from .api import (
        PosteriorSamples,
        compare,
        estimate_degradation,
        generate,
        read_picture,
        restore,
        sample,
        write_picture,
    )
    from .api import restore_samples as restore_samples
    from .api import stylize as stylize
    from .diffusion.model import Model
    from .images.picture import Picture
    from .tasks.compose import Compose
    from .tasks.deblur import Deblur
    from .tasks.denoise import Denoise
    from .tasks.enhance import Enhance
    from .tasks.extend import Extend
    from .tasks.fuse import Fuse
    from .tasks.inpaint import Inpaint
    from .tasks.repair import Repair
    from .tasks.restore import Restore
    from .tasks.stylize import Stylize
    from .tasks.super_resolve import SuperResolve

__all__ = [
    "Compose", "Deblur", "Denoise", "Enhance", "Extend", "Fuse", "Inpaint", "Model", "Picture", "PosteriorSamples",
    "Repair", "Restore", "Stylize", "SuperResolve", "__version__", "compare", "errors", "estimate_degradation",
    "generate", "read_picture", "restore", "sample", "write_picture",
]  # fmt: skip

_PLACES = {
    "Compose": "tasks.compose", "Deblur": "tasks.deblur", "Denoise": "tasks.denoise", "Enhance": "tasks.enhance",
    "Extend": "tasks.extend", "Fuse": "tasks.fuse", "Inpaint": "tasks.inpaint", "Repair": "tasks.repair",
    "Restore": "tasks.restore", "Stylize": "tasks.stylize", "SuperResolve": "tasks.super_resolve",
    "Model": "diffusion.model", "Picture": "images.picture",
}  # fmt: skip
"""Modules of the names that are not in `api`."""


def __getattr__(name: str) -> Any:  # noqa: ANN401 - a module's attribute can be anything
    if name in __all__ or name in ("restore_samples", "stylize"):  # the last two go in the next release
        return getattr(import_module(f".{_PLACES.get(name, 'api')}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
