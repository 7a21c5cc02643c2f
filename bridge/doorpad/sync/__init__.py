"""Keeping a keypad's slot table in step with what the API was asked for, and telling what others did to it."""
