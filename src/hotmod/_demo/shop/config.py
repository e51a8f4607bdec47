"""What the owner of the shop decides."""

TAX = 0.20
