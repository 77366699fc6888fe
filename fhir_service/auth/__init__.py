"""Who is asking, and with what authority."""
