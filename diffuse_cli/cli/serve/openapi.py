"""The description of the server's requests (OpenAPI 3.1), from the options themselves."""

from typing import Any, Final

from ...tasks.as_options import OPERATIONS
from ...version import __version__
from .request import Models
from .restoring import TYPES

_PARTS: Final = {
    "picture": "the image file that is restored",
    "mask": "an image file: what it marks is filled",
    "noise_map": "a gray image file of the noise's std at each pixel: 8 bits are levels, 16 bits are levels x 256",
}
_ERRORS: Final = {
    "400": "the body is no multipart/form-data that can be read",
    "401": "the token is missing or wrong",
    "403": "a page of another origin asked",
    "408": "the body came too slowly",
    "413": "the body has too many bytes, or the picture or its result too many pixels",
    "415": "the body is no multipart/form-data",
    "421": "the request names another host",
    "422": "an option is wrong, or the picture cannot be read or does not fit",
    "503": "too many requests are waiting, or the server is stopping",
    "504": "it took too long",
}


def openapi(models: Models, most_bytes: int) -> dict[str, Any]:
    """Return the description.

    Args:
        models: the options of each command.
        most_bytes: of a request.
    """
    schemas: dict[str, Any] = {"Error": _ERROR}
    paths: dict[str, Any] = {
        "/healthz": {"get": _telling("health", "Tell that the server runs.", {"type": "object"}, secured=False)},
        "/v1/about": {"get": _telling("about", "Tell the version, the model and the limits.", {"type": "object"})},
        "/openapi.json": {"get": _telling("openapi", "Return this description.", {"type": "object"})},
    }
    for name, model in models.items():
        schema = model.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
        paths[f"/v1/{name}"] = {"post": _restoring(name, model.__name__)}
    about = f"One model in memory restores pictures. A request has at most {most_bytes:,} bytes."
    return {
        "openapi": "3.1.0",
        "info": {"title": "diffuse serve", "version": __version__, "description": about},
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
        "security": [{"token": []}],
    }


def _restoring(name: str, options: str) -> dict[str, Any]:
    operation = OPERATIONS[name]
    parts = ("picture", *operation.parts)
    files = {part: {"type": "string", "format": "binary", "description": _PARTS[part]} for part in parts}
    said = (operation.kind.__doc__ or "").strip().splitlines()[0]
    header = {"schema": {"type": "string"}}
    result = {
        "description": "the restored picture",
        "content": {kind: {"schema": {"type": "string", "format": "binary"}} for kind in dict.fromkeys(TYPES.values())},
        "headers": {
            "Diffuse-Recipe": {**header, "description": "how it was made, as JSON"},
            "Diffuse-Notes": {**header, "description": "what the command line says beside, as a JSON list of lines"},
        },
    }
    return {
        "operationId": name,
        "summary": said,
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {
                        "type": "object",
                        "properties": {**files, "options": {"$ref": f"#/components/schemas/{options}"}},
                        "required": ["picture"],
                        "additionalProperties": False,
                    },
                    "encoding": {"options": {"contentType": "application/json"}},
                }
            },
        },
        "responses": {"200": result, **_errors(_ERRORS)},
    }


def _telling(name: str, summary: str, schema: dict[str, Any], *, secured: bool = True) -> dict[str, Any]:
    errors = {code: _ERRORS[code] for code in (("401", "403", "421") if secured else ("403", "421"))}
    ok = {"description": "told", "content": {"application/json": {"schema": schema}}}
    told: dict[str, Any] = {"operationId": name, "summary": summary, "responses": {"200": ok, **_errors(errors)}}
    return told if secured else {**told, "security": []}


def _errors(which: dict[str, str]) -> dict[str, Any]:
    content = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    told: dict[str, Any] = {code: {"description": what, "content": content} for code, what in which.items()}
    if "503" in told:
        told["503"]["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "description": "seconds"}}
    return told


_ERROR: Final = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "message": {"type": "string", "description": "one line: what is wrong, and the remedy"},
                "field": {"type": ["string", "null"], "description": "the option or part that is wrong"},
                "exit_code": {"type": "integer", "description": "with which the command line ends"},
            },
            "required": ["message", "field", "exit_code"],
            "additionalProperties": False,
        }
    },
    "required": ["error"],
    "additionalProperties": False,
}
