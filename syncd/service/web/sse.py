"""The live stream: server-sent events with the sections that changed (https://html.spec.whatwg.org/#server-sent-events)."""

import asyncio
import json

from starlette.types import Receive, Scope, Send

from syncd.service.sampler import Sampled
from syncd.service.web.pages import Pages, View

STREAMS = 40
"""Streams at a time; one more is turned away, and its page loads itself again instead."""
STEP_SECONDS = 1.0
SILENCE_SECONDS = 5.0
"""After so long without news the page is told that there is none: it takes a longer silence for a lost connection."""


class Stream:
    """An ASGI application that goes on until its viewer leaves. What the viewer does not read is not piled up: the next
    message waits until the one before has left, and then tells the difference to what was told last."""

    def __init__(self, sampler: Sampled, pages: Pages) -> None:
        self._sampler = sampler
        self._pages = pages
        self._viewers: set[asyncio.Future[None]] = set()
        self._ended = False

    def end(self) -> None:
        """Tell all viewers the last report, and let them go; for another thread than theirs."""
        self._ended = True
        for end in tuple(self._viewers):
            end.get_loop().call_soon_threadsafe(_done, end)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's
        if len(self._viewers) >= STREAMS:
            await send({"type": "http.response.start", "status": 503, "headers": [(b"retry-after", b"30")]})
            await send({"type": "http.response.body", "body": b"too many viewers\n"})
            return
        gone, end = asyncio.create_task(_gone(receive)), asyncio.get_running_loop().create_future()
        self._viewers.add(end)
        if self._ended:
            _done(end)
        try:
            headers = [(b"content-type", b"text/event-stream"), (b"x-accel-buffering", b"no")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await self._tell(send, gone, end)
        finally:
            gone.cancel()
            self._viewers.discard(end)

    async def _tell(self, send: Send, gone: "asyncio.Task[None]", end: "asyncio.Future[None]") -> None:
        view = self._pages.view(self._sampler.watch())
        await send(_body(_message("sections", view.whole) + _message("title", _json(view.title))))
        silent = 0.0
        while not gone.done():
            is_last = end.done()
            if not is_last:
                await asyncio.wait([gone, end], timeout=STEP_SECONDS)
            before, view = view, self._pages.view(self._sampler.watch())
            silent += STEP_SECONDS
            said = _news(before, view)
            if said or silent >= SILENCE_SECONDS:
                silent = 0.0
                await send(_body(said or _message("still", "{}")))
            if is_last:
                # After a promotion nothing will follow; a daemon that was stopped may be on its way back.
                await send({"type": "http.response.body", "body": _message("end", "{}") if view.is_last else b""})
                return


def _done(end: "asyncio.Future[None]") -> None:
    if not end.done():
        end.set_result(None)


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _news(before: View, now: View) -> bytes:
    changed = now.changed_since(before)
    said = _message("sections", _json(dict(changed))) if changed else b""
    return said + (_message("title", _json(now.title)) if now.title != before.title else b"")


def _body(said: bytes) -> dict[str, object]:
    return {"type": "http.response.body", "body": said, "more_body": True}


def _message(event: str, data: str) -> bytes:
    return f"event: {event}\ndata: {data}\n\n".encode()


def _json(data: object) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
