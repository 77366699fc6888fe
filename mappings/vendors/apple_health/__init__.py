"""The export of Apple Health: export.xml, or the zip that holds it.

https://developer.apple.com/documentation/healthkit
"""
