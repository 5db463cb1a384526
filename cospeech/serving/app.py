"""Routes of the live page: files, pictures and the websocket."""

from pathlib import Path
from urllib.parse import parse_qs

import anyio
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import JSONResponse, RedirectResponse, Response
from starlette.requests import ClientDisconnect

from cospeech.serving.auth import COOKIE, ENTRANCE, AuthMiddleware, Token, seen_over_https
from cospeech.serving.connections import ConnectionLimiter
from cospeech.serving.limits import Limits
from cospeech.serving.session import ServerState, run_session

_PAGE = Path(__file__).parent / "page"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_FORM = "enter.html"
_FORM_BYTES = 1000
_UPLOADS = 4
"""Uploads that are read at the same time."""


def make_app(state: ServerState, token: Token, limiter: ConnectionLimiter) -> FastAPI:
    """Build the application. limiter: is told of every connection of which a request is admitted."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(AuthMiddleware, token=token, limiter=limiter)
    _add_page(app)
    _add_entrance(app, token, state.limits)
    _add_people(app, state)

    @app.websocket("/talk")
    async def talk(socket: WebSocket) -> None:
        await run_session(socket, state)

    return app


def _add_page(app: FastAPI) -> None:
    for path in _PAGE.iterdir():
        if path.name == _FORM:
            continue
        address = "/" if path.name == "index.html" else f"/{path.name}"
        answer = Response(path.read_bytes(), media_type=_TYPES[path.suffix])
        app.add_api_route(address, lambda answer=answer: answer, response_class=Response)


def _add_entrance(app: FastAPI, token: Token, limits: Limits) -> None:
    form = (_PAGE / _FORM).read_text(encoding="utf-8")

    @app.get(ENTRANCE)
    async def ask() -> Response:
        return Response(form.replace("{problem}", ""), media_type=_TYPES[".html"])

    @app.post(ENTRANCE)
    async def enter(request: Request) -> Response:
        try:
            body = await _body(request, _FORM_BYTES, limits.request_seconds)
        except (TimeoutError, ValueError) as error:
            return JSONResponse({"error": str(error)}, 400)
        given = parse_qs(body.decode(errors="replace")).get("token", [""])[0]
        if not token.is_secret(given):
            await anyio.sleep(1)
            return Response(form.replace("{problem}", "That is not the token."), 401, media_type=_TYPES[".html"])
        answer = RedirectResponse("/", 303)
        secure = seen_over_https(request.headers["origin"])
        answer.set_cookie(COOKIE, token.cookie, httponly=True, samesite="strict", secure=secure)
        return answer


def _add_people(app: FastAPI, state: ServerState) -> None:
    limits, uploads = state.limits, anyio.CapacityLimiter(_UPLOADS)

    @app.get("/about")
    async def about() -> dict:
        people = [{"id": key, "name": name} for key, name in state.gallery.names().items()]
        return {"people": people, "limits": _page_limits(limits), "size": state.speaker.settings.size}

    @app.get("/people/{key}")
    async def picture(key: str) -> Response:
        found = state.gallery.picture(key)
        return Response(found, media_type="image/*") if found else JSONResponse({"error": f"no person {key!r}"}, 404)

    @app.post("/people")
    async def bring(request: Request) -> Response:
        try:
            async with uploads:
                data = await _body(request, limits.picture_bytes, limits.upload_seconds)
            return JSONResponse({"id": await state.gallery.add(data)})
        except TimeoutError as error:
            return JSONResponse({"error": str(error)}, 408)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 422)


def _page_limits(limits: Limits) -> dict[str, float]:
    """Return the limits that the page checks before it sends anything."""
    names = ("picture_bytes", "voice_bytes", "voice_seconds")
    return {name: getattr(limits, name) for name in names}


async def _body(request: Request, max_bytes: int, max_seconds: float) -> bytes:
    """Read the body of a request.

    Raises:
        ValueError: it is larger than `max_bytes`, or broke off.
        TimeoutError: it took longer than `max_seconds`.
    """
    data = bytearray()
    with anyio.move_on_after(max_seconds) as patience:
        try:
            async for chunk in request.stream():
                data += chunk
                if len(data) > max_bytes:
                    raise ValueError(f"the upload is larger than {max_bytes / 1e6:g} MB, the limit")
        except ClientDisconnect as error:
            raise ValueError("the upload broke off") from error
    if patience.cancelled_caught:
        raise TimeoutError(f"the upload did not arrive within {max_seconds:g} s")
    return bytes(data)
