"""GPIO numbers. Written by hardware/generate.py from hardware/pinmap.toml: change it there."""

from micropython import const

KEYPAD_ROWS = (16, 17, 18, 19)
KEYPAD_COLUMNS = (21, 22, 23)
KEYPAD_KEYS = ("123", "456", "789", "*0#")
STRIKE = const(26)
STRIKE_ACTIVE = const(1)
LED_GREEN = const(32)
LED_GREEN_ACTIVE = const(1)
LED_RED = const(33)
LED_RED_ACTIVE = const(1)
BUZZER = const(25)
BUZZER_ACTIVE = const(1)
LINK_UART = const(1)
LINK_TX = const(27)
LINK_RX = const(35)
