"""``/healthz``, ``/readyz`` and ``/metrics``: for supervisors, load balancers and Prometheus."""

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from rag.errors import MingbaiError
from ui.serve.errors import Json, Problem
from ui.serve.metrics import TEXT_FORMAT
from ui.serve.state import Shared

router = APIRouter(tags=["Operation"])
# Apart, because it needs the key.
metrics_router = APIRouter(tags=["Operation"])


class Health(BaseModel):
    """One word."""

    status: str


@router.get("/healthz", response_model=Health)
async def show_health() -> Response:
    """The process answers."""
    return Json({"status": "ok"})


@router.get("/readyz", response_model=Health)
async def show_readiness(serving: Shared) -> Response:
    """The models are loaded and the engine works; 503 while they load and when they cannot."""
    if serving.warmth.error is not None:
        return Problem(503, serving.warmth.error, "failed").response()
    if not serving.warmth.is_ready:
        return Problem(503, "The models are being loaded.", "loading", headers={"Retry-After": "1"}).response()
    try:
        await run_in_threadpool(serving.warmth.check)
    except MingbaiError as error:
        return Problem(503, str(error), "failed").response()
    return Json({"status": "ready"})


@metrics_router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
async def show_metrics(serving: Shared) -> Response:
    """The server's numbers in Prometheus' text format."""
    return Response(serving.metrics.text(), media_type=TEXT_FORMAT)
