"""Answers of the Netatmo Connect API.

https://dev.netatmo.com/apidocumentation/weather
"""
