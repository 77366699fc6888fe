"""Why a request gets what it gets: now, at another instant, under other consents."""
