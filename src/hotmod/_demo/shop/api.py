"""What the shop answers to a request."""

import os
from urllib.parse import parse_qs, urlsplit

from . import orders
from .pricing import PRICES, total


def answer(method: str, target: str) -> tuple[int, dict[str, object]]:
    """The HTTP status of the answer, and what it says."""
    url = urlsplit(target)
    if (method, url.path) == ("GET", "/orders"):
        return 200, {"process": os.getpid(), "orders": orders.ORDERS}
    query = parse_qs(url.query)
    item, count = query.get("item", [""])[0], query.get("count", ["1"])[0]
    if item not in PRICES or not count.isdecimal():
        return 400, {"error": f"please ask for some of: {', '.join(PRICES)}"}
    price = total(item, int(count))
    match method, url.path:
        case "GET", "/price":
            return 200, {"process": os.getpid(), "price": price}
        case "POST", "/orders":
            return 201, {"process": os.getpid(), **orders.place(item, int(count), price)}
        case _:
            return 404, {"error": "there are GET /price, GET /orders and POST /orders"}
