from flask import Flask

from shop.orders import orders

app = Flask("shop")
app.register_blueprint(orders)
