from world.rules import STEP, WIDTH


class Player:
    def __init__(self):
        self.x = 0
        self.coins = 0

    def press(self, key):
        if key == "right":
            self.x = min(self.x + STEP, WIDTH - 1)
            self.coins += 1
        elif key == "left":
            self.x = max(self.x - STEP, 0)
