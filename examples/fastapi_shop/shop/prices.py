TAX = 0.2


def gross(net):
    return round(net * (1 + TAX), 2)
