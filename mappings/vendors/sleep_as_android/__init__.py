"""Exports of Sleep as Android: a zip with sleep-export.csv, or that file itself.

https://docs.sleep.urbandroid.org/devs/csv.html
"""
