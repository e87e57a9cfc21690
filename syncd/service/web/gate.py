"""Who may look: the Host header, the token, and the headers that every answer carries."""

import hashlib
import hmac
import ipaddress
from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "syncd_viewer"
OPEN_PATHS = ("/healthz", "/login", "/static/style.css")
LOGIN_BYTES = 4096
_SECURITY = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
    # Each connection serves one request: one that lingers is worth nothing to anybody, and is easily told apart.
    "connection": "close",
}


class Gate:
    """Lets only those requests through that name a host which is ours, and that carry the token where there is one."""

    def __init__(self, app: ASGIApp, *, hosts: frozenset[str], token: str | None) -> None:
        self._app = app
        self._hosts = hosts
        self._token = token

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _SECURITY.items():
                    headers[name] = value
            await send(message)

        refusal = self._refusal(Request(scope))
        await (refusal or self._app)(scope, receive, guarded)

    def _refusal(self, request: Request) -> Response | None:
        if not self._is_ours(request.headers.get("host", "")):
            return PlainTextResponse("this host name is not served here: [web] hosts\n", 421)
        if self._token is None or request.url.path in OPEN_PATHS or self._is_known(request, self._token):
            return None
        if request.url.path == "/readyz":
            request.scope["syncd.silent"] = True
            return None
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/login", 303)
        return PlainTextResponse("a token is needed\n", 401, {"www-authenticate": "Bearer"})

    def _is_ours(self, host: str) -> bool:
        """Whether the name is one of ours. An address as a number is: only names can be made to point here."""
        name = host.rsplit("]", 1)[0].lstrip("[") if host.startswith("[") else host.rsplit(":", 1)[0]
        if name.lower() in self._hosts:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True

    def _is_known(self, request: Request, token: str) -> bool:
        kind, _, given = request.headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and same(given.strip(), token):
            return True
        return same(request.cookies.get(COOKIE, ""), pass_of(token))


def same(given: str, known: str) -> bool:
    """Compare in a time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), known.encode())


def pass_of(token: str) -> str:
    """What a viewer's cookie holds in the token's stead."""
    return hmac.new(token.encode(), b"viewer", hashlib.sha256).hexdigest()


async def given_token(request: Request) -> str:
    """The token of a login form, empty for what is none."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LOGIN_BYTES:
            return ""
    try:
        return parse_qs(body.decode("ascii"), max_num_fields=4).get("token", [""])[0]
    except ValueError:
        return ""
