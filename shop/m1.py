from shop.m0 import n2
n6 = n2()
n7 = n6
