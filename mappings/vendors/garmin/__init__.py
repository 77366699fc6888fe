"""Push bodies of the Garmin Health API; see README.md beside this file."""
