"""Files of Fitbit: answers of its former Web API, Google Takeout, the sleep CSV.

https://dev.fitbit.com/build/reference/web-api/
"""
