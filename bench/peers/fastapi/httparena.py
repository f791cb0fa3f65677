# The HttpArena profiles on FastAPI: validated input; Starlette's GZipMiddleware (level 9, its default) around all of it, since it
# has no other place.
import json
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import asyncpg
import redis.asyncio
from fastapi import FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.middleware.gzip import GZipMiddleware
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import BaseModel

with open(os.environ["DATASET_PATH"]) as file:
    ITEMS = json.load(file)


# The profiles with a database: asyncpg's pool of as many connections as there may be, and Redis, as in HttpArena's own entry.
@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    if "DATABASE_URL" not in os.environ:
        yield
        return
    size = int(os.environ.get("DATABASE_MAX_CONN", "10"))
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=1, max_size=size) as app.state.pool:
        url = os.environ.get("REDIS_URL")
        app.state.redis = redis.asyncio.from_url(url, decode_responses=True) if url else None
        yield
        if app.state.redis:
            await app.state.redis.aclose()


app = FastAPI(lifespan=lifespan)
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


COLUMNS = "id, name, category, price, quantity, active, tags, rating_score, rating_count"
Id = Annotated[int, Path(ge=1, le=2_147_483_647)]


def item(row: asyncpg.Record) -> dict[str, object]:
    return {
        "id": row["id"],
        "name": row["name"],
        "category": row["category"],
        "price": row["price"],
        "quantity": row["quantity"],
        "active": row["active"],
        "tags": json.loads(row["tags"]),
        "rating": {"score": row["rating_score"], "count": row["rating_count"]},
    }


@app.get("/async-db")
async def in_range(
    request: Request,
    least: Annotated[int, Query(alias="min")],
    most: Annotated[int, Query(alias="max")],
    limit: Annotated[int, Query(ge=1, le=50)],
) -> JSONResponse:
    rows = await request.app.state.pool.fetch(
        f"select {COLUMNS} from items where price between $1 and $2 limit $3", least, most, limit
    )
    items = [item(row) for row in rows]
    return JSONResponse({"items": items, "count": len(items)})


@app.get("/crud/items")
async def page_of(
    request: Request,
    category: str = "electronics",
    page: Annotated[int, Query(ge=1)] = 1,
    limit: Annotated[int, Query(ge=1, le=50)] = 10,
) -> JSONResponse:
    rows = await request.app.state.pool.fetch(
        f"select {COLUMNS} from items where category = $1 order by id limit $2 offset $3",
        category,
        limit,
        (page - 1) * limit,
    )
    items = [item(row) for row in rows]
    return JSONResponse({"items": items, "total": len(items), "page": page, "limit": limit})


@app.get("/crud/items/{id}")
async def one(id: Id, request: Request) -> Response:
    state = request.app.state
    key = f"crud:{id}"
    kept = await state.redis.get(key) if state.redis else None
    if kept:
        return Response(kept, media_type="application/json", headers={"X-Cache": "HIT"})
    row = await state.pool.fetchrow(f"select {COLUMNS} from items where id = $1", id)
    if row is None:
        raise HTTPException(404, "No such item")
    body = json.dumps(item(row), separators=(",", ":"), ensure_ascii=False)
    if state.redis:
        await state.redis.set(key, body, px=200)
    return Response(body, media_type="application/json", headers={"X-Cache": "MISS"})


class Written(BaseModel):
    name: str
    price: int
    quantity: int


class NewItem(BaseModel):
    id: int
    name: str
    category: str
    price: int
    quantity: int


@app.put("/crud/items/{id}")
async def change(id: Id, written: Written, request: Request) -> JSONResponse:
    state = request.app.state
    done = await state.pool.execute(
        "update items set name = $1, price = $2, quantity = $3 where id = $4",
        written.name,
        written.price,
        written.quantity,
        id,
    )
    if done.endswith(" 0"):
        raise HTTPException(404, "No such item")
    if state.redis:
        await state.redis.delete(f"crud:{id}")
    return JSONResponse({"id": id, **written.model_dump()})


@app.post("/crud/items")
async def upsert(new: NewItem, request: Request) -> JSONResponse:
    await request.app.state.pool.execute(
        "insert into items (id, name, category, price, quantity, active, tags, rating_score, rating_count) "
        "values ($1, $2, $3, $4, $5, true, '[\"bench\"]', 0, 0) "
        "on conflict (id) do update set name = $2, price = $4, quantity = $5",
        new.id,
        new.name,
        new.category,
        new.price,
        new.quantity,
    )
    return JSONResponse(new.model_dump(), status_code=201)
