"""Records of the Oura API, version 2.

https://cloud.ouraring.com/v2/docs
"""
