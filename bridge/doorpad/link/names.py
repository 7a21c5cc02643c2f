"""Names for what a keypad reports to be wrong with it. They stay here: there they would only take room."""

from doorpad_link import messages

_HEALTH_NAMES = {
    messages.HEALTH_FLASH_WRITE: "flash_write_failed",
    messages.HEALTH_BAD_SEGMENT: "flash_segment_bad",
    messages.HEALTH_RECORD_LOST: "slot_record_lost",
    messages.HEALTH_JOURNAL: "journal_entry_lost",
    messages.HEALTH_IDENTITY: "identity_restored",
    messages.HEALTH_CONFIG: "settings_refused",
    messages.HEALTH_KEY_STUCK: "key_stuck",
    messages.HEALTH_CLOCK_CHIP: "clock_chip",
    messages.HEALTH_CRASHED: "crashed",
    messages.HEALTH_SAFE_MODE: "safe_mode",
    messages.HEALTH_MEMORY: "memory_short",
    messages.HEALTH_BIT_FLIPPED: "flash_bit_flipped",
    messages.HEALTH_POWER_SAVING: "power_saving",
    messages.HEALTH_AUXILIARY_HEAT: "auxiliary_heat",
}


def health_names(bits: int) -> list[str]:
    """What a keypad reports to be wrong with it. A bit of a newer keypad is named by its number."""
    return [_HEALTH_NAMES.get(1 << n, f"bit_{n}") for n in range(bits.bit_length()) if bits >> n & 1]
