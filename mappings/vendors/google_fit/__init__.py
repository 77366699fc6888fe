"""Data sets of the Google Fit REST API, whose service ends in 2026.

https://developers.google.com/fit/rest
"""
