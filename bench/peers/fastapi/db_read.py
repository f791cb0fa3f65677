# One row by key on FastAPI and asyncpg: validated id, a pool of ten, asyncpg's own prepared statements, an answer by a model.
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import asyncpg
from fastapi import FastAPI, HTTPException, Path, Request
from pydantic import BaseModel


class Product(BaseModel):
    id: int
    name: str
    description: str
    category: str
    priceCents: int
    stock: int


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    async with asyncpg.create_pool(os.environ["DATABASE_URL"], min_size=10, max_size=10) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)
FIND = 'select id, name, description, category, price_cents as "priceCents", stock from products where id = $1'


@app.get("/products/{id}")
async def product(id: Annotated[int, Path(ge=1, le=2_147_483_647)], request: Request) -> Product:
    row = await request.app.state.pool.fetchrow(FIND, id)
    if row is None:
        raise HTTPException(404, "No such product")
    return Product(**row)
