"""Answers of the Withings public API.

https://developer.withings.com/api-reference
"""
