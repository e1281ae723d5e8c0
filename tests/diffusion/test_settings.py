"""Settings: tiles and memory."""

import pytest

from diffuse_cli.diffusion import settings
from diffuse_cli.diffusion.settings import Settings, tile_side


def test_settings_refuse_tiles_that_are_all_margin() -> None:
    from diffuse_cli.errors import UsageError

    with pytest.raises(UsageError):
        Settings(tile=8)
    with pytest.raises(UsageError, match="768M"):
        Settings(memory=100 << 20)
    with pytest.raises(UsageError, match="--memory is for --tile auto"):
        Settings(memory=2 << 30, tile=256)


def test_more_memory_means_larger_tiles() -> None:
    sides = [tile_side(Settings(memory=megabytes << 20)) for megabytes in (768, 1024, 2048, 100_000)]
    assert sides == sorted(sides, key=lambda side: side or 0)
    assert sides[0] is not None
    assert 64 <= sides[0] < 512
    assert sides[-1] == settings.MAX_AUTO_TILE
    usual, little = Settings(backend="ncnn"), Settings(backend="ncnn", memory=768 << 20)
    assert settings.MIN_TILE <= (tile_side(little) or 0) < (tile_side(usual) or 0) < settings.AUTO_TILE
