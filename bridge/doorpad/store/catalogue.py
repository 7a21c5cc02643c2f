"""Every error and warning that can stand on a code, a device or the hub, with the API's own words for it.

The names are the API's, and so is the split into subjects: an error shows on its subject, and on each access
code below it. `schemas` says who knows a name: S the vocabulary of 2025, which this hub speaks unless told
otherwise; Z the strict client schema of that time; P the vocabulary of 2026. What is said in place of a name
that a vocabulary lacks stands in `api/vocabulary.py`.
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
    """`subject`: on what it stands. `message`: the API's words for people. `schemas`: of S, Z and P."""

    subject: Subject
    message: str
    schemas: str = "SZP"


_EXTERNAL = "Code was modified or removed externally after Seam successfully set it on the device."
_UNCONFIRMED = "Unable to confirm that the access code is set on Kwikset device."
_NOT_MOVED = "Access code has not yet been fully moved to the device."
_NO_TIME_RANGE = "No valid user level for Oracode."

ERRORS: dict[str, Condition] = {
    "failed_to_set_on_device": Condition(ACCESS_CODE, "Failed to set code on device."),
    "failed_to_remove_from_device": Condition(ACCESS_CODE, "Failed to remove code from device."),
    "duplicate_code_on_device": Condition(ACCESS_CODE, "Duplicate access code detected on device."),
    "duplicate_code_attempt_prevented": Condition(
        ACCESS_CODE, "An attempt to modify this access code was prevented.", "SZ"
    ),
    "no_space_for_access_code_on_device": Condition(ACCESS_CODE, "No space for access code on device."),
    "code_modified_external_to_seam": Condition(ACCESS_CODE, _EXTERNAL, "SZ"),
    "smartthings_failed_to_set_access_code": Condition(
        ACCESS_CODE, "Failed to set code on SmartThings device.", "SZ"
    ),
    "smartthings_failed_to_set_after_multiple_retries": Condition(
        ACCESS_CODE, "Failed to set code after multiple retries.", "SZ"
    ),
    "smartthings_no_free_slots_available": Condition(
        ACCESS_CODE, "No free slots available on the device.", "SZ"
    ),
    "igloohome_bridge_too_many_pending_jobs": Condition(
        ACCESS_CODE, "Igloohome bridge has too many pending jobs in the queue.", "S"
    ),
    "igloohome_bridge_offline": Condition(ACCESS_CODE, "Igloohome bridge is offline.", "S"),
    "kwikset_unable_to_confirm_code": Condition(ACCESS_CODE, _UNCONFIRMED, "SZ"),
    "kwikset_unable_to_confirm_deletion": Condition(
        ACCESS_CODE, "Unable to confirm the deletion of the access code on Kwikset device.", "SZ"
    ),
    "august_lock_invalid_code_length": Condition(ACCESS_CODE, "Invalid code length for August lock.", "SZ"),
    "august_device_programming_delay": Condition(ACCESS_CODE, _NOT_MOVED, "SZ"),
    "august_device_slots_full": Condition(ACCESS_CODE, "All access code slots on the device are full.", "S"),
    "august_lock_missing_keypad": Condition(ACCESS_CODE, "August lock is missing a keypad.", "SZ"),
    "august_lock_temporarily_offline": Condition(ACCESS_CODE, "August lock is temporarily offline.", "SZ"),
    "salto_ks_user_not_subscribed": Condition(ACCESS_CODE, "Salto site user is not subscribed.", "SZ"),
    "hubitat_device_programming_delay": Condition(ACCESS_CODE, _NOT_MOVED, "SZ"),
    "hubitat_no_free_positions_available": Condition(
        ACCESS_CODE, "No free positions available on the device.", "SZ"
    ),
    "wyze_duplicate_code_name": Condition(ACCESS_CODE, "Duplicate access code name detected.", "SZ"),
    "wyze_potential_duplicate_code": Condition(
        ACCESS_CODE, "Potential duplicate access code detected.", "SZ"
    ),
    "dormakaba_oracode_no_valid_user_level": Condition(ACCESS_CODE, _NO_TIME_RANGE, "S"),
    "account_disconnected": Condition(ACCOUNT, "Account is disconnected"),
    "salto_ks_subscription_limit_exceeded": Condition(ACCOUNT, "Salto site user limit reached."),
    "device_offline": Condition(DEVICE, "Device is offline"),
    "device_removed": Condition(DEVICE, "Device has been removed"),
    "hub_disconnected": Condition(DEVICE, "Hub is disconnected"),
    "device_disconnected": Condition(DEVICE, "Device is disconnected"),
    "empty_backup_access_code_pool": Condition(DEVICE, "The backup access code pool is empty."),
    "august_lock_not_authorized": Condition(DEVICE, "User is not authorized to use the August Lock."),
    "august_lock_missing_bridge": Condition(DEVICE, "Lock is not connected to the Seam Bridge.", "SZ"),
    "ttlock_lock_not_paired_to_gateway": Condition(DEVICE, "Lock is not paired with a Gateway.", "SZ"),
    "missing_device_credentials": Condition(DEVICE, "Missing device credentials."),
    "auxiliary_heat_running": Condition(DEVICE, "The auxiliary heat is running."),
    "subscription_required": Condition(DEVICE, "Subscription required to connect."),
    "lockly_missing_wifi_bridge": Condition(DEVICE, "Lockly lock is not connected to a Wi-Fi bridge.", "SZ"),
    "invalid_credentials": Condition(BRIDGE, "Credentials provided were invalid.", "S"),
    "bridge_disconnected": Condition(BRIDGE, "Seam API cannot communicate with Seam Bridge."),
}

# Warnings have no subject flag in the API; a code's stand on the code, a device's on the device.
CODE_WARNINGS: dict[str, Condition] = {
    "delay_in_setting_on_device": Condition(ACCESS_CODE, "Delay in setting code on device."),
    "delay_in_removing_from_device": Condition(ACCESS_CODE, "Delay in removing code from device."),
    "third_party_integration_detected": Condition(
        ACCESS_CODE, "Third-party integration detected that may cause access codes to fail."
    ),
    "management_transferred": Condition(ACCESS_CODE, "Management was transferred to another workspace."),
    "schlage_detected_duplicate": Condition(ACCESS_CODE, "Duplicate access code detected.", "SZ"),
    "schlage_creation_outage": Condition(
        ACCESS_CODE, "Received an error when attempting to create this code.", "SZ"
    ),
    "igloo_algopin_must_be_used_within_24_hours": Condition(
        ACCESS_CODE, "Algopins must be used within 24 hours."
    ),
    "ultraloq_access_code_disabled": Condition(
        ACCESS_CODE, "Access code is disabled on Ultraloq device.", "Z"
    ),
    "code_modified_external_to_seam": Condition(ACCESS_CODE, _EXTERNAL, "SZ"),
    "smartthings_failed_to_set_access_code": ERRORS["smartthings_failed_to_set_access_code"],
    "kwikset_unable_to_confirm_code": Condition(ACCESS_CODE, _UNCONFIRMED, "SZ"),
    "august_device_programming_delay": Condition(ACCESS_CODE, _NOT_MOVED, "SZ"),
    "august_lock_temporarily_offline": ERRORS["august_lock_temporarily_offline"],
}

DEVICE_WARNINGS: dict[str, Condition] = {
    "partial_backup_access_code_pool": Condition(DEVICE, "The backup access code pool is not full."),
    "many_active_backup_codes": Condition(DEVICE, "Many backup access codes are in use."),
    "third_party_integration_detected": Condition(
        DEVICE, CODE_WARNINGS["third_party_integration_detected"].message
    ),
    "device_has_flaky_connection": Condition(DEVICE, "The connection to the device is lost again and again."),
    "device_communication_degraded": Condition(DEVICE, "Communication with the device is degraded."),
    "power_saving_mode": Condition(DEVICE, "The device saves power and may answer late."),
    "scheduled_maintenance_window": Condition(DEVICE, "The device is being maintained."),
}

# Names that only other vocabularies have: said in place of those above, or beside them.
OTHER_ERRORS: dict[str, Condition] = {
    "conflicting_external_modification": Condition(ACCESS_CODE, _EXTERNAL, "P"),
    "access_code_inactive": Condition(ACCESS_CODE, "The access code is inactive on the device.", "P"),
    "provider_issue": Condition(ACCESS_CODE, "The device does not take the access code.", "P"),
    "dormakaba_oracode_invalid_time_range": Condition(ACCESS_CODE, _NO_TIME_RANGE, "Z"),
}
OTHER_WARNINGS: dict[str, Condition] = {
    "external_modification_in_effect": Condition(ACCESS_CODE, _EXTERNAL, "P"),
    "unknown_issue_with_access_code": Condition(ACCESS_CODE, "There is an issue with the access code.", "P"),
    "being_deleted": Condition(ACCESS_CODE, "Access code is being deleted.", "P"),
    "max_access_codes_reached": Condition(DEVICE, "The device holds as many access codes as it can.", "P"),
    "time_zone_unknown": Condition(DEVICE, "The time zone of the device is not known.", "P"),
    "using_backup_access_code": Condition(
        ACCESS_CODE, "A backup access code has been pulled and is used in place of this one.", "P"
    ),
}
