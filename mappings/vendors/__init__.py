"""One folder a vendor: its quirks, its schema, its parse functions."""
