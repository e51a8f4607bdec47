class n2:
    pass
