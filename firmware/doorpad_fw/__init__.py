"""The keypad: a door controller that decides on its own, with no host and no network."""
