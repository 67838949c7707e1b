"""The web application: routes, security headers, and server-sent events that say when a run has changed."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mmst.dashboard.export import Export
from mmst.dashboard.pages import Pages
from mmst.dashboard.queries import Queries
from mmst.dashboard.run import find_runs, token_of
from mmst.errors import InputError

LOOK_EVERY = 1.0
"""Seconds between two checks for changes."""

# Only our own scripts run, never a script in a page's text. Plotly needs inline styles.
_HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
}


def application(paths: Sequence[Path], hosts: Sequence[str] = ("127.0.0.1", "localhost", "[::1]")) -> Starlette:
    """The dashboard for the runs at `paths`; it answers requests to the names in `hosts` only.

    Raises InputError for a path that is not a directory.
    """
    pages, script = Pages(find_runs(paths), Queries()), plotly_file()
    export = Export(pages)

    async def events(request: Request) -> Response:
        return StreamingResponse(_changes(pages), media_type="text/event-stream")

    async def plotly(request: Request) -> Response:
        return FileResponse(script, media_type="text/javascript", headers={"cache-control": "max-age=86400"})

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        ready = asyncio.create_task(asyncio.to_thread(pages.prepare))
        yield
        pages.queries.close()
        await ready

    routes = [
        Route("/", pages.overview),
        Route("/events", events),
        Route("/plotly.js", plotly),
        Mount("/static", StaticFiles(directory=Path(__file__).parent / "static")),
        Route("/{run}/", pages.run),
        Route("/{run}/round/{number:int}", pages.round),
        Route("/{run}/matrix", pages.matrix),
        Route("/{run}/problems", pages.problems),
        Route("/{run}/problem", pages.problem),
        Route("/{run}/solutions", pages.solutions),
        Route("/{run}/solution", pages.solution),
        Route("/export/comparison.{form}", export.comparison),
        Route("/{run}/export/{what}.{form}", export.of_run),
    ]
    # The check of the host stops other pages from reaching this one through a name of theirs (DNS rebinding).
    guard = Middleware(TrustedHostMiddleware, allowed_hosts=list(hosts), www_redirect=False)
    middleware = [Middleware(_Headers), guard]
    return Starlette(routes=routes, middleware=middleware, exception_handlers=pages.handlers, lifespan=lifespan)


def plotly_file() -> Path:
    """Plotly's JavaScript, which comes with the Python package; importing that would take a second."""
    found = importlib.util.find_spec("plotly")
    if found is None or found.origin is None:
        raise InputError("the dashboard needs plotly: pip install 'mmst[dashboard]'")
    return Path(found.origin).parent / "package_data" / "plotly.min.js"


async def _changes(pages: Pages) -> AsyncIterator[str]:
    """A server-sent event now and after every change of a run."""
    last = None
    while True:
        now = await asyncio.to_thread(lambda: [token_of(root) for root in pages.places.values()])
        if now != last:
            last = now
            yield "data: new\n\n"
            await asyncio.to_thread(pages.prepare)
        else:
            yield ": no change\n\n"  # fails once the client is gone
        await asyncio.sleep(LOOK_EVERY)


class _Headers:
    """Middleware that adds the security headers to every response."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message["headers"], *added]
            await send(message)

        await self.app(scope, receive, with_headers)


def serve(paths: Sequence[Path], host: str, port: int) -> None:
    """Serve the dashboard until Ctrl-C. Raises InputError for bad paths and a port that is in use."""
    import uvicorn

    local = host in ("127.0.0.1", "localhost", "::1")
    app = application(paths) if local else application(paths, ("*",))
    try:
        listener = socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET)
    except OSError as error:
        raise InputError(f"--host {host} --port {port}: {error.strerror}; choose another, or --port 0") from error
    os.nice(5)  # a run on this machine has priority
    address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}/"
    print(f"mmst dashboard: {address} (stop with Ctrl-C)", file=sys.stderr, flush=True)
    if not local:
        print("WARNING: everybody who reaches this address can read these runs; it has no password", file=sys.stderr)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])
