"""doorpad's bridge: keeps keypads in step with what the access-code API was asked for."""

__version__ = "0.1.0"
