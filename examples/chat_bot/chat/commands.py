import asyncio
import collections

from chat.registry import COMMANDS, command
from chat.words import greeting

__all__ = ["COMMANDS"]

GREETED = collections.Counter()
BELL = asyncio.Event()


@command("!greet")
async def greet(who):
    GREETED[who] += 1
    return f"{greeting(who)}, for the {GREETED[who]}. time"


@command("!wait")
async def wait(who):
    """Greet before and after the bell: a task in flight."""
    begun = greeting(who)
    print(f"bot: {begun}, please ring", flush=True)
    await BELL.wait()
    return f"{begun} has become {greeting(who)}"


@command("!ring")
async def ring(who):
    BELL.set()
    return f"{who} rings"
