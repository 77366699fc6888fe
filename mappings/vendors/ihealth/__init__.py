"""Lists of the iHealth Open API.

https://developer.ihealthlabs.com/
"""
