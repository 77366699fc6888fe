"""A sensor that nobody has written code for, mapped by a JSON template.

| module | what it holds |
|---|---|
| `template.schema.json` | the form of a template |
| `check`, `faults`, `places` | a template's text → its faults, each with its place |
| `compile` | a template → a `Vendor` |
| `expression`, `interpreter` | JMESPath, compiled once; numbers keep their digits |
| `scope` | what an expression looks at: item, message, topic, constant |
| `value`, `moment`, `clues` | a value, a time, who and what device |
| `rule`, `making` | one measurement of a template |
| `reader`, `topic`, `accounted` | a message → readings that account for all of it |
| `parts`, `again` | what of a message is refused, and its retry |
| `lines` | JSON, NDJSON and CSV files |
| `trial` | a dry run |
"""
