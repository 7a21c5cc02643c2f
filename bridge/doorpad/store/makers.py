"""Who changed something at a keypad, by the number that the keypad has for it, in words that outlast the number."""

from doorpad_link.messages import MAKER_KEYPAD

from doorpad.store.schema import Device

KEYPAD = "keypad"
HUB = "hub"
HOST = "host:"


def name(device: Device, maker: int) -> str:
    """`keypad`, `hub` for this hub, else `host:` and the name of the other hub's key, or its number."""
    if maker == MAKER_KEYPAD:
        return KEYPAD
    if maker == device.maker:
        return HUB
    return f"{HOST}{device.hosts.get(str(maker), maker)}"


def in_words(device: Device, maker: int) -> str:
    """The same within a sentence for people."""
    if maker == MAKER_KEYPAD:
        return "at the keypad itself"
    if maker == device.maker:
        return "by this hub"
    return f"by another hub, whose key is {device.hosts.get(str(maker), f'number {maker}')}"
