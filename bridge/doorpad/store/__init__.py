"""What the hub remembers: desired access codes, the last known keypad tables, and the event log."""
