import inspect

TOOLS = {}
TYPES = {int: "integer", str: "string"}


def tool(function):
    """Make a tool of a function."""
    TOOLS[function.__name__] = function
    return function


def listed():
    return [
        {"name": name, "description": inspect.getdoc(function), "inputSchema": schema(function)}
        for name, function in TOOLS.items()
    ]


def schema(function):
    parameters = inspect.signature(function).parameters.values()
    return {
        "type": "object",
        "properties": {each.name: {"type": TYPES[each.annotation]} for each in parameters},
        "required": [each.name for each in parameters if each.default is each.empty],
    }


def call(name, arguments):
    """Give what a tool says, and whether it failed."""
    try:
        return str(TOOLS[name](**arguments)), False
    except Exception as error:
        return f"{type(error).__name__}: {error}", True
