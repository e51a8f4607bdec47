"""Servers of Flask and FastAPI take edits while they serve: examples/flask_shop and examples/fastapi_shop."""

from __future__ import annotations

import collections
import http.client
import pathlib
import re
import threading

import pytest

from tests.applications.session import SECONDS, Session

NEW_ROUTE = {
    "flask": '@orders.get("/orders")\ndef listed():',
    "fastapi": '@orders.get("/orders")\nasync def listed():',
}
EDITS = 20


def shop(kind: str, temp: pathlib.Path, **variables: str) -> Session:
    session = Session(f"{kind}_shop", temp, "serve.py", **variables)
    session.listen()
    session.watching("shop/__init__.py")
    return session


def begin_order(session: Session, size: int) -> http.client.HTTPConnection:
    """Send the head of an order; its body, of so many bytes, is still to come."""
    connection = http.client.HTTPConnection("127.0.0.1", session.port, timeout=SECONDS)
    connection.putrequest("POST", "/orders")
    connection.putheader("Content-Length", str(size))
    connection.endheaders()
    session.line("shop: order begun", show=False)
    return connection


def end_order(connection: http.client.HTTPConnection, body: bytes) -> str:
    connection.send(body)
    try:
        return connection.getresponse().read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize("kind", NEW_ROUTE)
def test_a_server_takes_edits_and_keeps_its_orders(kind: str, tmp_path: pathlib.Path) -> None:
    """A constant, a broken save, its mending and a new route are answered at once, and the orders stay."""
    with shop(kind, tmp_path) as session:
        assert session.get("/price/100") == "120.0 EUR"
        answer = end_order(begin_order(session, 3), b"tea")
        session.transcript += ["$ curl --data tea localhost:8000/orders", answer]
        session.save("shop/prices.py", "TAX = 0.2", "TAX = 0.5")
        session.told("applied shop", "re-ran shop.prices:1")
        assert session.get("/price/100") == "150.0 EUR"
        session.save("shop/prices.py", "TAX = 0.5", "TAX = RATE")
        session.told("Could not reload shop.prices (prices.py:1): NameError", "Nothing was changed")
        assert session.get("/price/100") == "150.0 EUR"
        session.save("shop/prices.py", "TAX = RATE", "TAX = 0.1")
        session.told("applied shop")
        assert session.get("/price/100") == "110.0 EUR"
        assert session.get("/last") == "404 Not Found"
        new = f'@orders.get("/last")\ndef last():\n    return PLACED[-1]\n\n\n{NEW_ROUTE[kind]}'
        session.save("shop/orders.py", NEW_ROUTE[kind], new)
        session.told("applied shop", "re-ran shop.orders")
        assert session.get("/last") == "tea"
        assert session.get("/orders") == "1 placed: tea"
        session.is_on(f"how-to/{kind}.md")


@pytest.mark.parametrize("kind", NEW_ROUTE)
def test_a_request_in_flight_sees_one_version(kind: str, tmp_path: pathlib.Path) -> None:
    """An edit waits for a request that has begun, is told to be postponed, and is applied after its end."""
    with shop(kind, tmp_path, HOTMOD_PATIENCE="0.2") as session:
        order = begin_order(session, 3)
        session.save("shop/prices.py", "TAX = 0.2", "TAX = 0.5")
        session.told("Could not reload shop.prices yet: 1 stable block has not ended")
        assert session.get("/price/100") == "120.0 EUR"
        assert end_order(order, b"tea") == "tea: tax 0.2, and still 0.2"
        session.told("applied shop")
        assert end_order(begin_order(session, 3), b"nut") == "nut: tax 0.5, and still 0.5"


@pytest.mark.parametrize("kind", NEW_ROUTE)
def test_no_request_fails_while_edits_are_applied(kind: str, tmp_path: pathlib.Path) -> None:
    """While twenty edits are applied no connection is refused and no answer is wrong or mixed."""
    with shop(kind, tmp_path) as session:
        seen: collections.Counter[str] = collections.Counter()
        done = threading.Event()

        def orders() -> None:
            while not done.is_set():
                connection = http.client.HTTPConnection("127.0.0.1", session.port, timeout=SECONDS)
                try:
                    connection.request("POST", "/orders", b"tea")
                    answer = connection.getresponse()
                    seen[f"{answer.status} {answer.read().decode()}"] += 1
                except (OSError, http.client.HTTPException) as error:
                    seen[repr(error)] += 1
                finally:
                    connection.close()

        clients = [threading.Thread(target=orders) for _ in range(3)]
        for client in clients:
            client.start()
        try:
            for number in range(EDITS):
                session.save("shop/prices.py", f"TAX = 0.{number + 2}\n", f"TAX = 0.{number + 3}\n")
                session.told("applied shop")
                gross = round(100 * (1 + float(f"0.{number + 3}")), 2)
                assert session.get("/price/100", show=False) == f"{gross} EUR"
        finally:
            done.set()
            for client in clients:
                client.join(SECONDS)
        assert not any(client.is_alive() for client in clients)
        mixed = [text for text in seen if not re.fullmatch(r"200 tea: tax (\S+), and still \1", text)]
        assert mixed == []
        assert len(seen) > 1
        assert session.get("/orders").startswith(f"{seen.total()} placed: ")


UNCHANGED = {
    "flask": ["flask", "--app", "shop.app", "run", "--port", "0"],
    "fastapi": ["uvicorn", "shop.app:app", "--port", "0"],
}


@pytest.mark.parametrize("kind", UNCHANGED)
def test_a_server_takes_edits_without_a_line_of_hotmod(kind: str, tmp_path: pathlib.Path) -> None:
    """Under `hotmod run` the server's own command serves edits, and keeps its orders."""
    with Session(f"{kind}_shop", tmp_path, "-m", "hotmod", "run", "-m", *UNCHANGED[kind]) as session:
        session.listen()
        session.watching("shop/__init__.py")
        order = http.client.HTTPConnection("127.0.0.1", session.port, timeout=SECONDS)
        order.request("POST", "/orders", b"tea")
        assert end_order(order, b"") == "tea: tax 0.2, and still 0.2"
        session.save("shop/prices.py", "TAX = 0.2", "TAX = 0.5")
        session.told("re-ran shop.prices:1")
        assert session.get("/price/100") == "150.0 EUR"
        assert session.get("/orders") == "1 placed: tea"
