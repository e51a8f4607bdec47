"""Methods that answer requests: a decorator, and the table that it fills."""


def requests(on):
    def mark(method):
        method.on = on
        return method

    return mark


class Executor:
    endpoints: dict[str, str] = {}

    def __init_subclass__(cls):
        cls.endpoints = {each.on: name for name, each in vars(cls).items() if hasattr(each, "on")}

    def answer(self, path, body):
        return getattr(self, self.endpoints[path])(body)
