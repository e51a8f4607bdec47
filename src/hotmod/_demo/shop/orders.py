"""The orders, in memory: they are gone when the process ends, so a restart would lose them."""

ORDERS: list[dict[str, object]] = []


def place(item: str, count: int, price: float) -> dict[str, object]:
    """Remember one more order, at the price of the moment."""
    order: dict[str, object] = {"number": len(ORDERS) + 1, "item": item, "count": count, "price": price}
    ORDERS.append(order)
    return order
