"""From the bytes of a request to the inputs of a model, or to a fault that says why not."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from starlette.requests import ClientDisconnect, Request

from electra.serving.faults import Fault, left
from electra.serving.limits import Limits
from electra.serving.schemas import COUNT, conform, predict_schema, suggest_schema

MASK = "[MASK]"
MAX_MASKS = 16  # of a text: the answer to each is as long as the vocabulary before its best words are taken


class Room:
    """Bytes that are free for bodies: whatever the number of connections, those being read take no more memory."""

    def __init__(self, limits: Limits) -> None:
        self.free = limits.room_for_bodies


async def read_body(request: Request, limits: Limits, room: Room) -> bytes:
    """The whole body. Raises Fault where it is too large, before a byte is read or as soon as it is, too slow, or cut off."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":
        raise Fault(415, "not_json", f"found content-type {kind[:60]!r}, expected application/json; send that header")
    if int(request.headers.get("content-length", 0)) > limits.max_body_bytes:
        raise _too_large(limits, f"found {int(request.headers['content-length']):,} bytes")
    body = bytearray()
    try:
        async with asyncio.timeout(limits.body_seconds):
            async for chunk in request.stream():
                body += chunk
                room.free -= len(chunk)
                if room.free < 0:
                    raise Fault(503, "too_busy", "too many large requests at once; send it again later", retry_after=1)
                if len(body) > limits.max_body_bytes:
                    raise _too_large(limits, "found more")
    except ClientDisconnect:
        raise left() from None
    except TimeoutError:
        raise Fault(
            408, "slow_body", f"the body was not whole after {limits.body_seconds:g} seconds; send it again"
        ) from None
    finally:
        room.free += len(body)
    return bytes(body)


def _too_large(limits: Limits, found: str) -> Fault:
    expected = f"expected at most {limits.max_body_bytes:,}; send the inputs in several requests"
    return Fault(413, "too_large", f"{found}, {expected}")


def read_json(body: bytes) -> Any:
    """Plain values. Raises Fault (400) on anything that is not JSON, of any depth."""
    try:
        return json.loads(body.decode("utf-8"), parse_constant=_refuse)
    except UnicodeDecodeError as error:
        raise Fault(
            400, "bad_encoding", f"byte {error.start} of the body is not UTF-8, expected JSON in UTF-8"
        ) from None
    except json.JSONDecodeError as error:
        raise Fault(400, "bad_json", f"not JSON: {error.msg}, at character {error.pos + 1}") from None
    except RecursionError:
        raise Fault(400, "bad_json", "found lists or objects inside each other without end, expected a few") from None
    except ValueError as error:  # a number of more digits than Python reads
        raise Fault(400, "bad_json", f"not JSON as it is read here: {error}") from None


def _refuse(word: str) -> NoReturn:
    raise Fault(400, "bad_json", f"found {word}, which JSON does not have; leave the field out")


def read_inputs(body: bytes, kind: str, limits: Limits) -> list[dict[str, Any]]:
    """The inputs of a request for predictions. Raises Fault."""
    inputs: list[dict[str, Any]] = conform(read_json(body), predict_schema(kind, limits), "")["inputs"]
    for number, values in enumerate(inputs):
        code, message = _trouble(values, kind, limits)
        if code:
            raise Fault(422, code, f"inputs[{number}]: {message}")
    return inputs


def _trouble(values: Mapping[str, Any], kind: str, limits: Limits) -> tuple[str, str]:
    """Why an input that fits its schema cannot be used, as a code and a sentence; two empty texts where nothing is wrong.

    The model would refuse most of it too, but all that it was given at once would then be computed again.
    """
    found = characters(values)
    if found > limits.max_characters:
        return "too_long", f"found {found:,} characters, expected at most {limits.max_characters:,}; send it in parts"
    if kind == "tagging" and not values.get("text", "a word").strip():
        return "bad_input", "the text has no words"
    masks = values["text"].count(MASK) if kind == "filling" else 1
    if not masks:
        return "bad_input", f"the text has no {MASK}; write {MASK} where a word is asked"
    if masks > MAX_MASKS:
        return "too_many", f"found {masks} times {MASK}, expected at most {MAX_MASKS}"
    return "", ""


def read_suggestion(body: bytes, limits: Limits) -> dict[str, Any]:
    """The arguments of a model's `suggest`. Raises Fault."""
    values: dict[str, Any] = conform(read_json(body), suggest_schema(limits), "")
    start, end, length = values["start"], values["end"], len(values["text"])
    if not start < end <= length:
        raise Fault(
            422, "bad_input", f"found start {start} and end {end}, expected a part of the text's {length} characters"
        )
    return {"count": COUNT, **values}


def characters(values: Mapping[str, Any]) -> int:
    """Of all texts of one input."""
    return sum(len(text) for value in values.values() for text in _texts(value))


def _texts(value: Any) -> Sequence[str]:
    if isinstance(value, str):
        return [value]
    return value if isinstance(value, list) else []
