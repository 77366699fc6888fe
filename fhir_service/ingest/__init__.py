"""The device door: bytes in, a receipt out."""
