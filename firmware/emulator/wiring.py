"""The board's wires. Written by hardware/generate.py from hardware/pinmap.toml: change it there."""

ROWS = (16, 17, 18, 19)
COLUMNS = (21, 22, 23)
KEYS = ("123", "456", "789", "*0#")
OUTPUTS = {26: "strike", 32: "led_green", 33: "led_red", 25: "buzzer"}
