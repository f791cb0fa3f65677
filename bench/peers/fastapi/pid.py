# Which process answers.
import os

from fastapi import FastAPI

app = FastAPI()


@app.get("/")
async def pid() -> dict[str, int]:
    return {"pid": os.getpid()}
