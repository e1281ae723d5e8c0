"""That no seam is left."""

import torch

from diffuse_cli.restoration.wide_holes.seams import without_seams

from .conftest import holed


def test_pixels_of_one_place_lie_without_seams_at_another_brightness() -> None:
    """What is shown by a darker copy of itself takes the brightness of its surroundings, whatever its own."""
    ramp = torch.linspace(-0.5, 0.5, 120)[None, :, None].expand(60, 120, 3).clone()
    bumps = 0.1 * torch.sin(torch.arange(60.0))[:, None, None]
    x = ramp + bumps
    known = holed((60, 120), slice(20, 40), slice(80, 100))
    rows, columns = torch.nonzero(~known, as_tuple=True)
    made = without_seams(x, known, (rows, columns), (rows, columns - 60))
    assert float((made - x[rows, columns]).abs().max()) < 0.02


def test_beyond_the_picture_nothing_pulls() -> None:
    """At the frame a hole has no neighbour, and keeps its differences to its very end."""
    x = torch.linspace(-0.5, 0.5, 90)[None, :, None].expand(40, 90, 3).clone()
    known = holed((40, 90), slice(0, 40), slice(70, 90))
    rows, columns = torch.nonzero(~known, as_tuple=True)
    made = without_seams(x, known, (rows, columns), (rows, columns - 40))
    assert (
        float((made - x[rows, columns]).abs().max()) < 0.1
    )  # the copy is half a range darker, and weakly holds to that
