"""Data points of the Google Health API, version 4.

https://developers.google.com/health
"""
