EVERY = 1000


def line(step, rate, value, model):
    return f"step {step}: rate {rate}, slope {model.slope:.1f}"
