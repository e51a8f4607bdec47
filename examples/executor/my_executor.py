"""Edit this file while the server runs."""

from endpoints import Executor, requests

GREETING = "Hello"


class MyExecutor(Executor):
    def __init__(self, name):
        self.name = name
        self.greeted = 0

    @requests(on="/greet")
    def greet(self, body):
        self.greeted += 1
        return {"text": f"{GREETING} {body['who']}, this is {self.name}", "greeted": self.greeted}
