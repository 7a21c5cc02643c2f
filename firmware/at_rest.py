"""The levels at which strike and buzzer are at rest. Written by hardware/generate.py from hardware/pinmap.toml."""

LEVELS = ((26, 0), (25, 0))  # (GPIO, level)
