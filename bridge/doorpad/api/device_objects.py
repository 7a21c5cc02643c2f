"""Keypads as the API shows them, built from rows."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from doorpad.api.conditions import ErrorObject, WarningObject, error_object, warning_object
from doorpad.api.times import iso
from doorpad.link.names import health_names
from doorpad.store import brands, makers
from doorpad.store.catalogue import ERRORS
from doorpad.store.pins import lengths
from doorpad.store.schema import Device, Hub
from doorpad.sync.retired import REMOVED

_LINK_ERRORS = {
    "disconnected": "device_disconnected",
    "offline": "device_offline",
}


class LocationObject(msgspec.Struct):
    """Without what is not known: strict clients of 2026 refuse null. The time zone has an old and a new name."""

    location_name: str | UnsetType = UNSET
    timezone: str | UnsetType = UNSET
    time_zone: str | UnsetType = UNSET


class _Keypad(msgspec.Struct, kw_only=True):
    """What the objects of all keypads have. The `can_…` of one that is left alone tell what it could do if it was
    taken into management: the paths for that refuse it until then."""

    device_id: str
    device_type: str
    workspace_id: str
    connected_account_id: str
    created_at: str
    capabilities_supported: tuple[str, ...]
    can_program_online_access_codes: bool
    can_program_offline_access_codes: bool
    can_unlock_with_code: bool = True
    can_remotely_unlock: bool = True
    can_remotely_lock: bool = True
    can_simulate_connection: bool
    can_simulate_disconnection: bool
    can_simulate_removal: bool
    can_simulate_hub_connection: bool
    can_simulate_hub_disconnection: bool
    can_simulate_paid_subscription: bool
    properties: dict[str, Any]
    location: LocationObject
    custom_metadata: dict[str, str | bool]
    errors: list[ErrorObject]
    warnings: list[WarningObject] = []


class UnmanagedDeviceObject(_Keypad, kw_only=True):
    """A keypad that the hub reads and leaves alone."""

    is_managed: bool = False


class DeviceObject(_Keypad, kw_only=True):
    """A keypad. `nickname` is left out where there is none: strict clients refuse null there."""

    display_name: str
    nickname: str | UnsetType = UNSET
    is_managed: bool = True
    device_manufacturer: dict[str, str]
    device_provider: dict[str, str]
    space_ids: list[str] = []
    doorpad: dict[str, Any]


def _of_any(hub: Hub, device: Device) -> dict[str, Any]:
    """The fields of _Keypad."""
    brand, is_removed = brands.of(device), REMOVED in device.conditions
    return {
        "device_id": device.device_id,
        "device_type": brand.device_type,
        "workspace_id": hub.workspace_id,
        "connected_account_id": hub.connected_account_id,
        "created_at": iso(device.created_at_ms),
        "capabilities_supported": ("access_code", "lock") if brand.takes_codes else ("lock",),
        "can_program_online_access_codes": brand.takes_codes and not is_removed,
        "can_program_offline_access_codes": brand.has_offline_codes and not is_removed,
        "can_simulate_connection": device.simulated,
        "can_simulate_disconnection": device.simulated,
        "can_simulate_removal": device.simulated,
        "can_simulate_hub_connection": device.simulated,
        "can_simulate_hub_disconnection": device.simulated,
        "can_simulate_paid_subscription": device.simulated,
        "properties": _properties(device),
        "location": _location(device),
        "custom_metadata": device.custom_metadata,
        "errors": device_errors(device),
        "warnings": device_warnings(device),
    }


def device_object(hub: Hub, device: Device) -> DeviceObject:
    maker = brands.of(device).maker
    return DeviceObject(
        **_of_any(hub, device),
        display_name=shown_name(device),
        nickname=UNSET if device.nickname is None else device.nickname,
        device_manufacturer={"manufacturer": maker, "display_name": maker},
        device_provider={
            "device_provider_name": maker,
            "display_name": maker,
            "provider_category": "stable",
        },
        doorpad={
            "boot_id": device.boot_id,
            "table_epoch": device.table_epoch,
            "generation": device.generation,
            "firmware": device.firmware,
            "clock_trusted": device.clock_trusted,
            "clock": _clock(device),
            "health": health_names(device.health) + _hub_finds(device),
            "crashes": device.crashes,
            "input_names": device.input_names or {},
            "full_since": None if device.full_since_ms is None else iso(device.full_since_ms),
            "link_state": device.link_state,
            "hosts": [
                {"maker": makers.name(device, int(number)), "key_id": key_id}
                for number, key_id in device.hosts.items()
            ],
            "journal_gaps": [
                {
                    "journal_epoch": gap["journal_epoch"],
                    "first_missing": gap["first_missing"],
                    "count": gap["count"],
                    "noticed_at": iso(gap["noticed_ms"]),
                }
                for gap in device.journal_gaps
            ],
        },
    )


def _hub_finds(device: Device) -> list[str]:
    """What the hub finds to be wrong with a keypad, beside what that reports itself."""
    return [] if device.writes_stopped_ms is None else ["writes_stopped"]


def _clock(device: Device) -> dict[str, Any] | None:
    """How well the clock was known at the last look. Seconds, and parts per million; None: unknown."""
    if device.clock_looked_at_ms is None:
        return None
    error_ms, source = device.clock_error_ms, device.clock_source
    low_ppb, high_ppb = device.drift_low_ppb, device.drift_high_ppb
    return {
        "looked_at": iso(device.clock_looked_at_ms),
        "error_s": None if error_ms is None else error_ms / 1000,
        "set_by": None if source is None else makers.name(device, source),
        "drift_ppm_min": None if low_ppb is None else low_ppb / 1000,
        "drift_ppm_max": None if high_ppb is None else high_ppb / 1000,
    }


def unmanaged_device_object(hub: Hub, device: Device) -> UnmanagedDeviceObject:
    return UnmanagedDeviceObject(**_of_any(hub, device))


def shown_name(device: Device) -> str:
    """The name that clients gave the keypad, else that of the configuration."""
    return device.nickname or device.name


def _location(device: Device) -> LocationObject:
    name = UNSET if device.location_name is None else device.location_name
    zone = UNSET if device.time_zone is None else device.time_zone
    return LocationObject(location_name=name, timezone=zone, time_zone=zone)


def device_errors(device: Device) -> list[ErrorObject]:
    """The device's own errors; its access codes inherit them."""
    standing = [
        error_object(code, it["since_ms"], message=it["message"])
        for code, it in device.conditions.items()
        if not it["is_warning"]
    ]
    standing += [error_object(name, since_ms) for name, since_ms in brands.on_device(device)]
    if device.link_state not in _LINK_ERRORS:
        return standing
    code = _LINK_ERRORS[device.link_state]
    why = "" if device.link_reason is None else f": {device.link_reason}"
    return [
        error_object(code, device.link_changed_at_ms, message=ERRORS[code].message + why),
        *standing,
    ]


def device_warnings(device: Device) -> list[WarningObject]:
    return [
        warning_object(code, it["since_ms"], it["message"])
        for code, it in device.conditions.items()
        if it["is_warning"]
    ]


def _constraint(rule: brands.Constraint) -> dict[str, Any]:
    shown: dict[str, Any] = {"constraint_type": rule.name}
    if rule.characters is not None:
        shown["min_length"], shown["max_length"] = rule.characters
    return shown


def _properties(device: Device) -> dict[str, Any]:
    brand = brands.of(device)
    properties: dict[str, Any] = {
        "online": device.link_state == "online",
        "name": shown_name(device),
        "appearance": {"name": device.name},
        "model": {
            "display_name": "Keypad",
            "manufacturer_display_name": brand.maker,
            "has_built_in_keypad": True,
            "online_access_codes_supported": brand.takes_codes,
            "offline_access_codes_supported": brand.has_offline_codes,
        },
        "manufacturer": brand.maker,
        "locked": not device.unlocked,
        "serial_number": device.serial,
        "has_direct_power": True,
        "online_access_codes_enabled": brand.takes_codes,
        "offline_access_codes_enabled": brand.has_offline_codes,
        "has_native_entry_events": True,
        "supports_backup_access_code_pool": True,
        "supported_code_lengths": lengths(device),
        "code_constraints": [_constraint(it) for it in brand.constraints],
    }
    if device.capacity is not None:
        properties["max_active_codes_supported"] = device.capacity
    return properties
