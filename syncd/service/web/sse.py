"""The live stream: server-sent events with the sections that changed (https://html.spec.whatwg.org/#server-sent-events)."""

import asyncio
import json

from starlette.types import Receive, Scope, Send

from syncd.service.sampler import Sampled
from syncd.service.web.pages import Pages

STREAMS = 40
"""Streams at a time; one more is turned away, and its page loads itself again instead."""
STEP_SECONDS = 1.0
SILENCE_SECONDS = 15.0
"""A comment goes out after so long without news, so that a vanished viewer is found."""


class Stream:
    """An ASGI application that goes on until its viewer leaves. What the viewer does not read is not piled up: the next
    message waits until the one before has left, and then tells the difference to what was told last."""

    def __init__(self, sampler: Sampled, pages: Pages) -> None:
        self._sampler = sampler
        self._pages = pages
        self._open = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's
        if self._open >= STREAMS:
            await send({"type": "http.response.start", "status": 503, "headers": [(b"retry-after", b"30")]})
            await send({"type": "http.response.body", "body": b"too many viewers\n"})
            return
        self._open += 1
        gone = asyncio.create_task(_gone(receive))
        try:
            headers = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await self._tell(send, gone)
        finally:
            gone.cancel()
            self._open -= 1

    async def _tell(self, send: Send, gone: "asyncio.Task[None]") -> None:
        view = self._pages.view(self._sampler.watch())
        await send(_body(_message("sections", view.whole)))
        silent = 0.0
        while not gone.done():
            await asyncio.wait([gone], timeout=STEP_SECONDS)
            before, view = view, self._pages.view(self._sampler.watch())
            silent += STEP_SECONDS
            said = b""
            if changed := view.changed_since(before):
                said += _message("sections", _json(dict(changed)))
            if view.title != before.title:
                said += _message("title", _json(view.title))
            if said or silent >= SILENCE_SECONDS:
                silent = 0.0
                await send(_body(said or b":\n\n"))


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _body(said: bytes) -> dict[str, object]:
    return {"type": "http.response.body", "body": said, "more_body": True}


def _message(event: str, data: str) -> bytes:
    return f"event: {event}\ndata: {data}\n\n".encode()


def _json(data: object) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
