"""Answers of Awair's cloud and of the devices themselves.

https://docs.developer.getawair.com/
"""
