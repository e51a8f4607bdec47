COMMANDS = {}


def command(name):
    def register(handler):
        COMMANDS[name] = handler
        return handler

    return register


async def answer(who, words):
    try:
        said = await COMMANDS[words](who) if words in COMMANDS else f"I know {', '.join(COMMANDS)}"
    except Exception as error:
        said = f"sorry: {error}"
    print(f"bot: {said}", flush=True)
