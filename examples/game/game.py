"""A game with a loop as those of pygame have: `python game.py`, and type left, right or quit."""

import queue
import sys
import threading
import time

from world.player import Player
from world.screen import draw

import hotmod

FRAME = 1 / 60  # seconds


def read_keys(keys):
    """Stand in for the events of a window."""
    for line in sys.stdin:
        keys.put(line.strip())


def tell(report):
    print("hotmod:", report, flush=True)


def play(player, keys, watcher):
    shown = ""
    while True:
        while not keys.empty():
            key = keys.get()
            if key == "quit":
                return
            player.press(key)
        frame = draw(player)
        if frame != shown:  # a window would be drawn each time
            print(frame, flush=True)
            shown = frame
        watcher.apply()  # between two frames: nothing is half drawn
        time.sleep(FRAME)


keys = queue.SimpleQueue()
threading.Thread(target=read_keys, args=[keys], daemon=True).start()
play(Player(), keys, hotmod.watch("world", apply="manual", on_reload=tell))
