"""The paths of the web server, and what each answers."""

import asyncio
from collections.abc import Awaitable, Callable
from importlib.resources import files

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from syncd.engine.report import LATE_SECONDS, Report
from syncd.service.metrics import CONTENT_TYPE, Metrics
from syncd.service.sampler import Sampled
from syncd.service.web.gate import COOKIE, Gate, given_token, pass_of, same
from syncd.service.web.pages import Pages
from syncd.service.web.sse import Stream

WRONG_SECONDS = 0.5
_STATIC = {"style.css": "text/css; charset=utf-8", "live.js": "text/javascript; charset=utf-8"}


def application(sampler: Sampled, pages: Pages, stream: Stream, hosts: frozenset[str], token: str | None) -> ASGIApp:
    """The whole, behind the gate."""
    metrics = Metrics(sampler)

    async def dashboard(_: Request) -> Response:
        return HTMLResponse(pages.page(sampler.watch()))

    async def scrape(_: Request) -> Response:
        return Response(metrics.page(), headers={"content-type": CONTENT_TYPE})

    async def health(_: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def ready(request: Request) -> Response:
        reasons = _hindrances(sampler.watch())
        said = "" if request.scope.get("syncd.silent") else "".join(f"{reason}\n" for reason in reasons)
        return PlainTextResponse(said or ("not ready\n" if reasons else "ready\n"), 503 if reasons else 200)

    async def login(request: Request) -> Response:
        if token is None:
            return RedirectResponse("/", 303)
        if request.method != "POST":
            return HTMLResponse(pages.login(wrong=False))
        if not same(await given_token(request), token):
            await asyncio.sleep(WRONG_SECONDS)
            return HTMLResponse(pages.login(wrong=True), 403)
        answer = RedirectResponse("/", 303)
        answer.set_cookie(
            COOKIE, pass_of(token), httponly=True, samesite="strict", secure=request.url.scheme == "https"
        )
        return answer

    return Gate(
        Starlette(
            routes=[
                Route("/", dashboard),
                Route("/metrics", scrape),
                Route("/healthz", health),
                Route("/readyz", ready),
                Route("/login", login, methods=["GET", "POST"]),
                Route("/events", stream, methods=["GET"]),
                *(Route(f"/static/{name}", _file(name, kind)) for name, kind in _STATIC.items()),
            ]
        ),
        hosts=hosts,
        token=token,
    )


def _hindrances(report: Report) -> tuple[str, ...]:
    """Why the copy is not to be relied on now."""
    late = (f"the lag is {report.lag:.1f} s",) if report.lag >= LATE_SECONDS else ()
    paused = (f"paused by {report.control.who}",) if report.control and report.control.paused else ()
    loading = () if report.is_loaded else ("the first load is not done",)
    return (*report.trouble, *late, *paused, *loading)


def _file(name: str, kind: str) -> Callable[[Request], Awaitable[Response]]:
    content = files(__package__).joinpath("static", name).read_bytes()

    async def answer(_: Request) -> Response:
        return Response(content, headers={"content-type": kind})

    return answer
