from fastapi import FastAPI

from shop.orders import orders

app = FastAPI()
app.include_router(orders)
