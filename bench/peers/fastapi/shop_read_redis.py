# The shop's product page on FastAPI with its cache in Redis through redis-py: validated id, one GET for a hit, whose bytes go out as they are.
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated

import asyncpg
import redis.asyncio as redis
from fastapi import FastAPI, HTTPException, Path, Request, Response
from pydantic import BaseModel


class Product(BaseModel):
    id: int
    name: str
    description: str
    category: str
    priceCents: int
    stock: int
    createdAt: datetime
    updatedAt: datetime


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.redis = redis.from_url(os.environ["REDIS_URL"])
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=10, max_size=10) as pool:
        app.state.pool = pool
        yield
    await app.state.redis.aclose()


app = FastAPI(lifespan=lifespan)
FIND = """select id, name, description, category, price_cents as "priceCents", stock,
  created_at as "createdAt", updated_at as "updatedAt" from products where id = $1"""


@app.get("/products/{id}")
async def product(id: Annotated[int, Path(ge=1, le=2_147_483_647)], request: Request) -> Response:
    key = f"product:{id}"
    kept = await request.app.state.redis.get(key)
    if kept is None:
        row = await request.app.state.pool.fetchrow(FIND, id)
        if row is None:
            raise HTTPException(404, "No such product")
        kept = Product(**row).model_dump_json().encode()
        await request.app.state.redis.set(key, kept, ex=3600)
    return Response(kept, media_type="application/json")
