"""The names of events: those this hub may tell, the further ones that the API knows, and the hub's own."""

from collections.abc import Iterable

TOLD: frozenset[str] = frozenset(
    (
        "access_code.backup_access_code_pulled",
        "access_code.changed",
        "access_code.created",
        "access_code.delay_in_removing_from_device",
        "access_code.delay_in_setting_on_device",
        "access_code.deleted",
        "access_code.deleted_external_to_seam",
        "access_code.failed_to_remove_from_device",
        "access_code.failed_to_set_on_device",
        "access_code.modified_external_to_seam",
        "access_code.removed_from_device",
        "access_code.scheduled_on_device",
        "access_code.set_on_device",
        "access_code.unmanaged.converted_to_managed",
        "access_code.unmanaged.created",
        "access_code.unmanaged.failed_to_convert_to_managed",
        "access_code.unmanaged.removed",
        "action_attempt.lock_door.failed",
        "action_attempt.lock_door.succeeded",
        "action_attempt.unlock_door.failed",
        "action_attempt.unlock_door.succeeded",
        "connected_account.completed_first_sync",
        "connected_account.completed_first_sync_after_reconnection",
        "connected_account.connected",
        "connected_account.created",
        "connected_account.deleted",
        "connected_account.disconnected",
        "device.added",
        "device.battery_status_changed",
        "device.connected",
        "device.connection_became_flaky",
        "device.connection_stabilized",
        "device.converted_to_unmanaged",
        "device.deleted",
        "device.disconnected",
        "device.error.subscription_required",
        "device.error.subscription_required.resolved",
        "device.low_battery",
        "device.name_changed",
        "device.removed",
        "device.tampered",
        "device.third_party_integration_detected",
        "device.third_party_integration_no_longer_detected",
        "device.unmanaged.connected",
        "device.unmanaged.converted_to_managed",
        "device.unmanaged.disconnected",
        "lock.access_denied",
        "lock.locked",
        "lock.unlocked",
    )
)

# Of locks, cameras and accounts that are not here. A webhook or a filter may name them; none ever comes.
NEVER_TOLD: frozenset[str] = frozenset(
    (
        "access_grant.access_granted_to_all_doors",
        "access_grant.access_granted_to_door",
        "access_grant.access_times_changed",
        "access_grant.access_to_door_lost",
        "access_grant.could_not_create_requested_access_methods",
        "access_grant.created",
        "access_grant.deleted",
        "access_method.card_encoding_required",
        "access_method.deleted",
        "access_method.issued",
        "access_method.reissued",
        "access_method.revoked",
        "acs_access_group.deleted",
        "acs_credential.deleted",
        "acs_credential.invalidated",
        "acs_credential.issued",
        "acs_credential.reissued",
        "acs_encoder.added",
        "acs_encoder.removed",
        "acs_entrance.added",
        "acs_entrance.removed",
        "acs_system.added",
        "acs_system.connected",
        "acs_system.disconnected",
        "acs_user.created",
        "acs_user.deleted",
        "client_session.deleted",
        "connect_webview.login_failed",
        "connect_webview.login_succeeded",
        "connected_account.reauthorization_requested",
        "connected_account.successful_login",
        "device.accessory_keypad_connected",
        "device.accessory_keypad_disconnected",
        "device.salto.privacy_mode_activated",
        "device.salto.privacy_mode_deactivated",
        "enrollment_automation.deleted",
        "noise_sensor.noise_threshold_triggered",
        "phone.deactivated",
        "space.created",
        "space.deleted",
        "space.device_membership_changed",
        "thermostat.climate_preset_activated",
        "thermostat.manually_adjusted",
        "thermostat.temperature_changed",
        "thermostat.temperature_reached_set_point",
        "thermostat.temperature_threshold_exceeded",
        "thermostat.temperature_threshold_no_longer_exceeded",
    )
)

KNOWN = TOLD | NEVER_TOLD

# This hub's own. Clients that check types strictly know none of them, so that only who asks for one by its name is
# told of it: "*" of a webhook and a list without a filter leave them out.
OWN: frozenset[str] = frozenset(
    (
        "doorpad.door_closed",
        "doorpad.door_forced",
        "doorpad.door_held_open",
        "doorpad.factory_reset",
        "doorpad.journal_gap",
        "doorpad.key_changed",
        "doorpad.key_freed",
        "doorpad.key_stuck",
        "doorpad.lockout",
        "doorpad.lockout_ended",
        "doorpad.master_pin_changed",
        "doorpad.programming",
        "doorpad.settings_changed",
        "doorpad.tamper_ended",
        "doorpad.writes_resumed",
        "doorpad.writes_stopped",
    )
)

NAMED = KNOWN | OWN


def not_named(types: Iterable[str]) -> list[str]:
    """Those of the types that no event has."""
    return [name for name in types if name not in NAMED]
