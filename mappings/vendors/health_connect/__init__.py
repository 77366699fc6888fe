"""Records of Android's Health Connect as JSON, as bridges and forwarders print them.

https://developer.android.com/health-and-fitness/guides/health-connect
"""
