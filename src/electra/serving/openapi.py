"""/openapi.json: this server's addresses, with the very schemas that requests are checked against (OpenAPI 3.1)."""

from collections.abc import Iterable, Mapping
from typing import Any

from electra import __version__
from electra.serving.limits import Limits
from electra.serving.schemas import (
    FAULT,
    MODELS,
    PREDICTIONS,
    SUGGESTED,
    list_of,
    object_of,
    predict_schema,
    suggest_schema,
)

# status -> when it is given
REFUSALS = {
    "400": "Not JSON, or not UTF-8.",
    "401": "No API key, or a wrong one.",
    "404": "No such model.",
    "408": "The body came too slowly.",
    "413": "The body is too large.",
    "415": "The content type is not application/json.",
    "422": "JSON that does not fit, or an input the model cannot use.",
    "429": "The queue is full; Retry-After says when to send it again.",
    "500": "A fault of the server.",
    "503": "The server is stopping or too busy; Retry-After says when to send it again.",
    "504": "The answer was not ready in time.",
}
PREDICTION: Mapping[str, Any] = {"type": "object"}  # of a kind the table does not have


def document(kinds: Mapping[str, str], suggesting: Iterable[str], limits: Limits, *, has_keys: bool) -> dict[str, Any]:
    """The document of a server.

    kinds        model name -> its kind
    suggesting   names of the models that make suggestions
    """
    paths: dict[str, Any] = {
        "/healthz": {"get": _get("Whether the process lives.", _text(), keyless=True)},
        "/readyz": {
            "get": _get("Whether models are loaded and new requests are taken.", _text(), keyless=True, busy=True)
        },
        "/metrics": {"get": _get("Counts, in Prometheus' text format.", _text())},
        "/v1/models": {"get": _get("The models there are.", _json(MODELS))},
    }
    for name, kind in kinds.items():
        answers = object_of({"predictions": list_of(PREDICTIONS.get(kind, PREDICTION))})
        paths[f"/v1/models/{name}/predict"] = {
            "post": _post(
                f"Answers of {name} ({kind}), in the order of the inputs.", predict_schema(kind, limits), answers
            )
        }
    for name in suggesting:
        paths[f"/v1/models/{name}/suggest"] = {
            "post": _post(f"What {name} would write in place of a part of a text.", suggest_schema(limits), SUGGESTED)
        }
    made: dict[str, Any] = {
        "openapi": "3.1.0",
        "info": {"title": "electra serve", "version": __version__},
        "paths": paths,
        "components": {"schemas": {"Error": FAULT}},
    }
    if has_keys:
        made["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        made["security"] = [{"key": []}]
    return made


def _get(summary: str, content: Any, *, keyless: bool = False, busy: bool = False) -> dict[str, Any]:
    statuses = [*([] if keyless else ["401"]), *(["503"] if busy else [])]
    responses = {"200": {"description": summary, "content": content}} | {
        status: _refusal(status) for status in statuses
    }
    return {"summary": summary, "responses": responses, **({"security": []} if keyless else {})}


def _post(summary: str, body: Any, answer: Any) -> dict[str, Any]:
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": _json(body)},
        "responses": {
            "200": {"description": "Answers.", "content": _json(answer)},
            **{status: _refusal(status) for status in REFUSALS},
        },
    }


def _refusal(status: str) -> dict[str, Any]:
    return {"description": REFUSALS[status], "content": _json({"$ref": "#/components/schemas/Error"})}


def _json(schema: Any) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _text() -> dict[str, Any]:
    return {"text/plain": {"schema": {"type": "string"}}}
