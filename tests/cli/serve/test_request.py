"""Options as JSON: what a request may say is what the tasks and settings have, and what is wrong is named."""

from collections.abc import Mapping
from typing import Any

import pytest

pytest.importorskip("pydantic", reason="needs the extra [serve]")
pytest.importorskip("starlette", reason="needs the extra [serve]")

from diffuse_cli.cli.options.compute import ComputeInRounds
from diffuse_cli.cli.serve.openapi import openapi
from diffuse_cli.cli.serve.request import Models, OptionError, models, wish_of
from diffuse_cli.tasks.as_options import OPERATIONS

KNOWN: Models = models(ComputeInRounds(seed=7))
BESIDE = {"mask", "noise_map"}


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_option_of_a_task_is_described(operation: str) -> None:
    schema = KNOWN[operation].model_json_schema()["properties"]
    for one in OPERATIONS[operation].options:
        assert one.name in schema or one.name in BESIDE
        assert schema.get(one.name, {"description": "a picture"})["description"]


def test_what_is_not_said_is_as_the_server_was_told() -> None:
    assert wish_of("denoise", b"{}", KNOWN).compute["seed"] == 7
    assert wish_of("denoise", b'{"seed": 18446744073709551615}', KNOWN).compute["seed"] == 2**64 - 1
    assert "rounds" not in wish_of("denoise", b"{}", KNOWN).compute
    assert wish_of("deblur", b'{"rounds": 1}', KNOWN).compute["rounds"] == 1


WRONG: Mapping[str, tuple[str, str, str]] = {
    '{"noise": "x"}': ("denoise", "noise", "should be a valid number or 'auto', 'poisson' or 'auto-map'"),
    '{"noise": true}': ("denoise", "noise", "should be"),
    '{"noize": 1}': ("denoise", "noize", "denoise has no such option; it has noise, grain"),
    '{"noise": NaN}': ("denoise", "noise", "finite number"),
    '{"boxes": [[1, 2, 3]]}': ("inpaint", "boxes.0.3", "is missing"),
    '{"boxes": [[1, 2, 3, 1e400]]}': ("inpaint", "boxes.0.3", "should be"),
    '{"holes": {"grow": "x"}}': ("restore", "holes.grow", "valid integer"),
    '{"samples": 3, "steps": 1}': ("denoise", "samples", "needs samples, and steps 1 is"),
    '{"steps": 100000}': ("denoise", "steps", "less than or equal to 1000"),
    '{"quality": 0}': ("denoise", "quality", "must lie in 1 .. 100"),
    '{"format": "exe"}': ("denoise", "format", "must be one of png"),
    '{"device": "cuda"}': ("denoise", "device", "no such option"),
    '[1]': ("denoise", "options", "should be an object"),
    '{"a"': ("denoise", "options", "no JSON"),
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG)
def test_what_is_wrong_is_named_with_its_remedy(text: str) -> None:
    operation, field, said = WRONG[text]
    with pytest.raises(OptionError) as raised:
        wish_of(operation, text.encode(), KNOWN)
    assert raised.value.field == field
    assert said in str(raised.value)
    assert "--" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_description_names_every_command_with_its_pictures() -> None:
    told: dict[str, Any] = openapi(KNOWN, 1000)
    assert {path.removeprefix("/v1/") for path in told["paths"] if "post" in told["paths"][path]} == set(OPERATIONS)
    for operation, asked in OPERATIONS.items():
        body = told["paths"][f"/v1/{operation}"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
        assert set(body["properties"]) == {"picture", "options", *asked.parts}
