from world.rules import WIDTH

PLAYER = "@"


def draw(player):
    road = "." * WIDTH
    return f"{road[: player.x]}{PLAYER}{road[player.x + 1 :]} coins: {player.coins}"
