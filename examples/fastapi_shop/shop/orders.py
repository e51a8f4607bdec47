import logging

from fastapi import APIRouter, Request
from fastapi.responses import PlainTextResponse

from shop import prices

orders = APIRouter(default_response_class=PlainTextResponse)
PLACED = []
log = logging.getLogger("shop")


@orders.get("/price/{net}")
def price(net: int):
    return f"{prices.gross(net)} EUR"


@orders.post("/orders")
async def place(request: Request):
    """Read the tax twice, before and after the body of the request has come."""
    tax = prices.TAX
    log.info("order begun")
    item = (await request.body()).decode()
    PLACED.append(item)
    return f"{item}: tax {tax}, and still {prices.TAX}"


@orders.get("/orders")
async def listed():
    return f"{len(PLACED)} placed: {', '.join(PLACED)}"
