"""May this be collected, used, shared; and why."""
