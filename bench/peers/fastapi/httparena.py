# The HttpArena profiles on FastAPI: validated input; Starlette's GZipMiddleware (level 9, its default) around all of it, since it
# has no other place.
import json
import os
from typing import Annotated

from fastapi import FastAPI, Path, Request
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import JSONResponse, PlainTextResponse

with open(os.environ["DATASET_PATH"]) as file:
    ITEMS = json.load(file)

app = FastAPI()
if os.environ.get("COMPRESS"):
    app.add_middleware(GZipMiddleware)


@app.get("/baseline11")
async def baseline(a: int, b: int) -> PlainTextResponse:
    return PlainTextResponse(str(a + b))


@app.post("/baseline11")
async def baseline_with_body(a: int, b: int, request: Request) -> PlainTextResponse:
    return PlainTextResponse(str(a + b + int(await request.body())))


@app.get("/pipeline")
async def pipeline() -> PlainTextResponse:
    return PlainTextResponse("ok")


# A JSONResponse, as in HttpArena's own entry: through a model it takes longer.
@app.get("/json/{count}")
async def total(count: Annotated[int, Path(ge=0, le=len(ITEMS))], m: int) -> JSONResponse:
    items = [{**item, "total": item["price"] * item["quantity"] * m} for item in ITEMS[:count]]
    return JSONResponse({"items": items, "count": count})


@app.post("/upload")
async def upload(request: Request) -> PlainTextResponse:
    received = 0
    async for piece in request.stream():
        received += len(piece)
    return PlainTextResponse(str(received))
