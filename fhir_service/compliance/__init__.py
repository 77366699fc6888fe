"""What a compliance officer asks of the log, whatever door the question came by."""
