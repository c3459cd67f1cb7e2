"""What programs ask of the same process: its health, its metrics, the page's questions as JSON."""

from collections.abc import Callable

from fastapi import FastAPI, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from pnl.console.settings import ConsoleSettings
from pnl.reports.api import ReportsApi


def add_api(
    api: FastAPI,
    reports: ReportsApi,
    settings: ConsoleSettings,
    ready: Callable[[], tuple[str, ...]],
) -> None:
    """Serve `/healthz`, `/readyz` and `/metrics`."""
    del reports, settings

    @api.get("/healthz", include_in_schema=False)
    def healthz() -> Response:
        return JSONResponse({"status": "ok"})

    @api.get("/readyz", include_in_schema=False)
    def readyz() -> Response:
        missing = ready()
        status = "ready" if not missing else "not ready"
        return JSONResponse(
            {"status": status, "missing": list(missing)}, status_code=503 if missing else 200
        )

    @api.get("/metrics", include_in_schema=False)
    def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
