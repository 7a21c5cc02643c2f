"""Conditions of a device that the keypad itself reports, by a bit of its health, and that have a name in the API.

doorpad's own firmware sets neither bit: an emulated keypad is told to (`plays`, emulator/control.py).
"""

from doorpad_link.messages import HEALTH_AUXILIARY_HEAT, HEALTH_POWER_SAVING

from doorpad.store import brands
from doorpad.store.catalogue import DEVICE_WARNINGS, ERRORS
from doorpad.store.device_conditions import lift, stand
from doorpad.store.schema import Device

_POWER = "power_saving_mode"
_HEAT = "auxiliary_heat_running"


def judge(device: Device, now_ms: int) -> None:
    """Let each stand for as long as `device.health` has its bit."""
    if device.health & HEALTH_POWER_SAVING:
        stand(device, _POWER, DEVICE_WARNINGS[_POWER].message, now_ms, is_warning=True)
    else:
        lift(device, _POWER)
    if device.health & HEALTH_AUXILIARY_HEAT and brands.of(device).has_auxiliary_heat:
        stand(device, _HEAT, ERRORS[_HEAT].message, now_ms)
    else:
        lift(device, _HEAT)
