def rate(step):
    return 0.05
