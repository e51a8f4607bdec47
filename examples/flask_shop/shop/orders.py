import logging

from flask import Blueprint, request

from shop import prices

orders = Blueprint("orders", __name__)
PLACED = []
log = logging.getLogger("shop")


@orders.get("/price/<int:net>")
def price(net):
    return f"{prices.gross(net)} EUR"


@orders.post("/orders")
def place():
    """Compute the tax twice, before and after the body of the request has come."""
    tax = prices.TAX
    log.info("order begun")
    item = request.get_data(as_text=True)
    PLACED.append(item)
    return f"{item}: tax {tax}, and still {prices.TAX}"


@orders.get("/orders")
def listed():
    return f"{len(PLACED)} placed: {', '.join(PLACED)}"
