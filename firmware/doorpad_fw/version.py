"""Which application this is."""

VERSION = "0.1.0"
