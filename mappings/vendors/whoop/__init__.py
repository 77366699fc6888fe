"""Records of the WHOOP API, version 2.

https://developer.whoop.com/api
"""
