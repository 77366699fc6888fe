"""What happened, in a form that can be proved: entries, Merkle log, checkpoints."""
