"""What is asked and what is indexed, one module a parameter type."""
