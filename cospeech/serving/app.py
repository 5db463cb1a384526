"""Pages, pictures and the websocket."""

from pathlib import Path
from urllib.parse import parse_qs

import anyio
from fastapi import FastAPI, Request, WebSocket
from fastapi.responses import JSONResponse, RedirectResponse, Response

from cospeech.serving.auth import COOKIE, ENTRANCE, Guard, Token
from cospeech.serving.limits import Limits
from cospeech.serving.session import Studio, receive_visitor

_PAGE = Path(__file__).parent / "page"
_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_FORM = "enter.html"
_UPLOADS = 4
"""Bodies read at the same time."""


def make_app(studio: Studio, token: Token) -> FastAPI:
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(Guard, token=token)
    _add_page(app)
    _add_entrance(app, token)
    _add_people(app, studio)

    @app.websocket("/talk")
    async def talk(socket: WebSocket) -> None:
        await receive_visitor(socket, studio)

    return app


def _add_page(app: FastAPI) -> None:
    for path in _PAGE.iterdir():
        if path.name == _FORM:
            continue
        address = "/" if path.name == "index.html" else f"/{path.name}"
        answer = Response(path.read_bytes(), media_type=_TYPES[path.suffix])
        app.add_api_route(address, lambda answer=answer: answer, response_class=Response)


def _add_entrance(app: FastAPI, token: Token) -> None:
    form = (_PAGE / _FORM).read_text(encoding="utf-8")

    @app.get(ENTRANCE)
    async def ask() -> Response:
        return Response(form.replace("{problem}", ""), media_type=_TYPES[".html"])

    @app.post(ENTRANCE)
    async def enter(request: Request) -> Response:
        given = parse_qs((await _body(request, 1000)).decode(errors="replace")).get("token", [""])[0]
        if not token.is_secret(given):
            await anyio.sleep(1)
            return Response(form.replace("{problem}", "That is not the token."), 401, media_type=_TYPES[".html"])
        answer = RedirectResponse("/", 303)
        secure = request.url.scheme == "https"
        answer.set_cookie(COOKIE, token.cookie, httponly=True, samesite="strict", secure=secure)
        return answer


def _add_people(app: FastAPI, studio: Studio) -> None:
    limits, uploads = studio.limits, anyio.CapacityLimiter(_UPLOADS)

    @app.get("/about")
    async def about() -> dict:
        people = [{"id": key, "name": name} for key, name in studio.gallery.offered().items()]
        return {"people": people, "limits": _told(limits), "size": studio.speaker.settings.size}

    @app.get("/people/{key}")
    async def picture(key: str) -> Response:
        found = studio.gallery.picture(key)
        return Response(found, media_type="image/*") if found else JSONResponse({"error": "nobody of that id"}, 404)

    @app.post("/people")
    async def bring(request: Request) -> Response:
        try:
            async with uploads:
                with anyio.fail_after(limits.upload_seconds):
                    data = await _body(request, limits.picture_bytes)
            return JSONResponse({"id": await studio.gallery.add(data)})
        except TimeoutError:
            return JSONResponse({"error": f"the picture did not arrive within {limits.upload_seconds:g} s"}, 408)
        except ValueError as error:
            return JSONResponse({"error": str(error)}, 422)


def _told(limits: Limits) -> dict[str, float]:
    """What the page checks before it sends."""
    names = ("picture_bytes", "voice_bytes", "voice_seconds")
    return {name: getattr(limits, name) for name in names}


async def _body(request: Request, most: int) -> bytes:
    """
    Raises:
        ValueError: larger than that.
    """
    data = bytearray()
    async for piece in request.stream():
        data += piece
        if len(data) > most:
            raise ValueError(f"larger than {most / 1e6:g} MB, which is the most for an upload")
    return bytes(data)
