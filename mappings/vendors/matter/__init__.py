"""Matter nodes: dumps of their attributes, and reports of single ones.

https://github.com/matter-js/python-matter-server/blob/main/docs/websockets_api.md
"""
