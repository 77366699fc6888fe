"""A demonstration with synthetic data: a cohort, clients, users, and one query."""
