"""What things cost."""

from .config import TAX

PRICES = {"kettle": 40.00, "mug": 10.00, "pot": 25.00}


def total(item: str, count: int) -> float:
    """The price of some pieces of an item, with tax."""
    net = PRICES[item] * count
    return round(net * (1 + TAX), 2)
