"""XMP: a type is found in every form."""

import pytest

from diffuse_cli.images import xmp
from tests.helpers.source_types import stating


@pytest.mark.parametrize("form", range(3))
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le"])
def test_a_type_is_found_in_every_form(form: int, encoding: str) -> None:
    said = stating("negativeFilm", form).decode().encode(encoding)
    assert xmp.source_types(said) == ["negativeFilm"]
    assert xmp.source_types(b'<!DOCTYPE x [<!ENTITY e "e">]>' + stating("print")) == []
