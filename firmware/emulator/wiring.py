"""The board's wires. Written by hardware/generate.py from hardware/pinmap.toml: change it there."""

ROWS = (16, 17, 18, 19)
COLUMNS = (21, 22, 23)
KEYS = ("123", "456", "789", "*0#")
OUTPUTS = {26: "strike", 32: "led_green", 33: "led_red", 25: "buzzer"}
INPUTS = {
    "request_to_exit": (13, 0),
    "door_contact": (14, 1),
    "tamper": (4, 1),
    "reset_jumper": (34, 0),
}
WIEGAND = (36, 39)
CLOCK_CHIP = (15, 5)
