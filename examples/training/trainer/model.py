class Line:
    """y = slope * x + offset."""

    def __init__(self):
        self.slope = self.offset = 0.0
        self.moves = 0

    def __call__(self, x):
        return self.slope * x + self.offset

    def move(self, rate, gradients):
        self.slope -= rate * gradients[0]
        self.offset -= rate * gradients[1]
        self.moves += 1
