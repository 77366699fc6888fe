"""Answers of the web interface behind Garmin Connect; see README.md beside this."""
