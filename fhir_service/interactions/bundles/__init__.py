"""Batch and transaction: a Bundle of requests, each with its own answer."""
