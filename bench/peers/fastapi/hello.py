# FastAPI as its own first page shows it.
from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def hello() -> dict[str, str]:
    return {"message": "Hello High Concurrency API"}
