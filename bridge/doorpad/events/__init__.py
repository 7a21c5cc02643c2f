"""The event log and the live feed of what was written to it."""
