"""The service: HTTP, authorization, storage, ingest, jobs, pages, command line."""
