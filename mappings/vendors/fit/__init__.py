"""FIT files of watches and scales; see README.md beside this file."""
