"""What a compliance officer answers with: a module a report, all of one shape."""
