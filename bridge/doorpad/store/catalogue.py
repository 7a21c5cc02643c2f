"""Every error and warning that can stand on a code, a device or the hub, with the API's own words for it.

The names are the API's, and so is the split into subjects: an error shows on its subject, and on each access
code below it. Which of them a condition of this installation raises is told in `sync/problems.py` (codes) and
`api/device_objects.py` (devices); the others belong to other makers' locks.
"""

from dataclasses import dataclass
from typing import Literal

Subject = Literal["access_code", "device", "connected_account", "bridge"]

ACCESS_CODE: Subject = "access_code"
DEVICE: Subject = "device"
ACCOUNT: Subject = "connected_account"
BRIDGE: Subject = "bridge"


@dataclass(frozen=True, slots=True)
class Condition:
    """`subject`: on what the error stands. `message`: the API's words for people."""

    subject: Subject
    message: str


ERRORS: dict[str, Condition] = {
    "failed_to_set_on_device": Condition(ACCESS_CODE, "Failed to set code on device."),
    "failed_to_remove_from_device": Condition(ACCESS_CODE, "Failed to remove code from device."),
    "duplicate_code_on_device": Condition(ACCESS_CODE, "Duplicate access code detected on device."),
    "duplicate_code_attempt_prevented": Condition(
        ACCESS_CODE, "An attempt to modify this access code was prevented."
    ),
    "no_space_for_access_code_on_device": Condition(ACCESS_CODE, "No space for access code on device."),
    "code_modified_external_to_seam": Condition(
        ACCESS_CODE, "Code was modified or removed externally after Seam successfully set it on the device."
    ),
    "smartthings_failed_to_set_access_code": Condition(
        ACCESS_CODE, "Failed to set code on SmartThings device."
    ),
    "smartthings_failed_to_set_after_multiple_retries": Condition(
        ACCESS_CODE, "Failed to set code after multiple retries."
    ),
    "smartthings_no_free_slots_available": Condition(ACCESS_CODE, "No free slots available on the device."),
    "igloohome_bridge_too_many_pending_jobs": Condition(
        ACCESS_CODE, "Igloohome bridge has too many pending jobs in the queue."
    ),
    "igloohome_bridge_offline": Condition(ACCESS_CODE, "Igloohome bridge is offline."),
    "kwikset_unable_to_confirm_code": Condition(
        ACCESS_CODE, "Unable to confirm that the access code is set on Kwikset device."
    ),
    "kwikset_unable_to_confirm_deletion": Condition(
        ACCESS_CODE, "Unable to confirm the deletion of the access code on Kwikset device."
    ),
    "august_lock_invalid_code_length": Condition(ACCESS_CODE, "Invalid code length for August lock."),
    "august_device_programming_delay": Condition(
        ACCESS_CODE, "Access code has not yet been fully moved to the device."
    ),
    "august_device_slots_full": Condition(ACCESS_CODE, "All access code slots on the device are full."),
    "august_lock_missing_keypad": Condition(ACCESS_CODE, "August lock is missing a keypad."),
    "august_lock_temporarily_offline": Condition(ACCESS_CODE, "August lock is temporarily offline."),
    "salto_ks_user_not_subscribed": Condition(ACCESS_CODE, "Salto site user is not subscribed."),
    "hubitat_device_programming_delay": Condition(
        ACCESS_CODE, "Access code has not yet been fully moved to the device."
    ),
    "hubitat_no_free_positions_available": Condition(
        ACCESS_CODE, "No free positions available on the device."
    ),
    "wyze_duplicate_code_name": Condition(ACCESS_CODE, "Duplicate access code name detected."),
    "wyze_potential_duplicate_code": Condition(ACCESS_CODE, "Potential duplicate access code detected."),
    "dormakaba_oracode_no_valid_user_level": Condition(ACCESS_CODE, "No valid user level for Oracode."),
    "account_disconnected": Condition(ACCOUNT, "Account is disconnected"),
    "salto_ks_subscription_limit_exceeded": Condition(ACCOUNT, "Salto site user limit reached."),
    "device_offline": Condition(DEVICE, "Device is offline"),
    "device_removed": Condition(DEVICE, "Device has been removed"),
    "hub_disconnected": Condition(DEVICE, "Hub is disconnected"),
    "device_disconnected": Condition(DEVICE, "Device is disconnected"),
    "empty_backup_access_code_pool": Condition(DEVICE, "The backup access code pool is empty."),
    "august_lock_not_authorized": Condition(DEVICE, "User is not authorized to use the August Lock."),
    "august_lock_missing_bridge": Condition(DEVICE, "Lock is not connected to the Seam Bridge."),
    "ttlock_lock_not_paired_to_gateway": Condition(DEVICE, "Lock is not paired with a Gateway."),
    "missing_device_credentials": Condition(DEVICE, "Missing device credentials."),
    "auxiliary_heat_running": Condition(DEVICE, "The auxiliary heat is running."),
    "subscription_required": Condition(DEVICE, "Subscription required to connect."),
    "lockly_missing_wifi_bridge": Condition(DEVICE, "Lockly lock is not connected to a Wi-Fi bridge."),
    "invalid_credentials": Condition(BRIDGE, "Credentials provided were invalid."),
    "bridge_disconnected": Condition(BRIDGE, "Seam API cannot communicate with Seam Bridge."),
}

# Warnings have no subject flag in the API; a code's stand on the code, a device's on the device.
CODE_WARNINGS: dict[str, str] = {
    "delay_in_setting_on_device": "Delay in setting code on device.",
    "delay_in_removing_from_device": "Delay in removing code from device.",
    "third_party_integration_detected": "Third-party integration detected that may cause access codes to fail.",
    "management_transferred": "Management was transferred to another workspace.",
    "schlage_detected_duplicate": "Duplicate access code detected.",
    "schlage_creation_outage": "Received an error when attempting to create this code.",
    "igloo_algopin_must_be_used_within_24_hours": "Algopins must be used within 24 hours.",
    "ultraloq_access_code_disabled": "Access code is disabled on Ultraloq device.",
    "code_modified_external_to_seam": ERRORS["code_modified_external_to_seam"].message,
    "smartthings_failed_to_set_access_code": ERRORS["smartthings_failed_to_set_access_code"].message,
    "kwikset_unable_to_confirm_code": ERRORS["kwikset_unable_to_confirm_code"].message,
    "august_device_programming_delay": ERRORS["august_device_programming_delay"].message,
    "august_lock_temporarily_offline": ERRORS["august_lock_temporarily_offline"].message,
}

DEVICE_WARNINGS: dict[str, str] = {
    "partial_backup_access_code_pool": "The backup access code pool is not full.",
    "many_active_backup_codes": "Many backup access codes are in use.",
    "third_party_integration_detected": CODE_WARNINGS["third_party_integration_detected"],
    "device_has_flaky_connection": "The connection to the device is lost again and again.",
    "device_communication_degraded": "Communication with the device is degraded.",
    "power_saving_mode": "The device saves power and may answer late.",
    "scheduled_maintenance_window": "The device is being maintained.",
}
