"""A bot that answers chat lines such as `ada: !greet`, each in a task of its own: `python bot.py`."""

import asyncio
import sys

import chat.commands
from chat.registry import answer

import hotmod


async def follow():
    """Apply edits between two steps of the tasks."""
    async for report in hotmod.awatch("chat"):
        print("hotmod:", report, flush=True)


async def main():
    following = asyncio.create_task(follow())
    tasks = set()
    while line := await asyncio.to_thread(sys.stdin.readline):
        who, _, words = line.strip().partition(": ")
        task = asyncio.create_task(answer(who, words))
        tasks.add(task)
        task.add_done_callback(tasks.discard)
    following.cancel()


print("bot:", ", ".join(sorted(chat.commands.COMMANDS)), flush=True)
asyncio.run(main())
