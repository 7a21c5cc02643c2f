"""Each row of the catalogue of errors and warnings: raised by its cause on a running keypad, seen, and gone with it.

The catalogue is the parameter: a row without a scenario fails, and so does a scenario that no row asks for.
"""

from collections.abc import Iterator

import pytest
from code_conditions import (
    answer_lost,
    asked_for_twice,
    away,
    full_table,
    length_outside,
    no_level,
    pin_made_at_the_keypad,
    pin_of_the_master,
    refused_by_flash,
    same_name,
    taken_off_again_and_again,
    taken_off_at_the_keypad,
    twenty_waiting,
    unplugged_removal,
    unused_offline_code,
)
from condition_row import NAMES, Row, Scenario
from device_conditions import (
    clock_ahead,
    device_away,
    lost_three_times,
    no_spare_code_yet,
    other_firmware,
    reported,
    room_for_one_spare_code,
    silent,
    stuck_key,
    three_pulled,
)
from doorpad.store.catalogue import CODE_WARNINGS, DEVICE_WARNINGS, ERRORS
from hil_world import World, running
from hub_conditions import (
    PAID,
    account_cut_off,
    disabled_by_another_hub,
    impostor,
    key_file_lost,
    never_seen,
    on_the_account,
    simulated,
    taken_over_by_another_hub,
    wrong_key,
)

TIMING = """offline_s = 1.0
poll_s = 0.2
handshake_s = 1.0
set_slow_s = 0.5
set_failed_s = 2.5
remove_slow_s = 0.5
remove_failed_s = 1.0
flaky_s = 20.0
backup_short_s = 0.5
"""


# No byte on the line but for what a test has asked for.
STILL = """poll_s = 600.0
set_slow_s = 0.5
set_failed_s = 2.5
"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    options = [word for name in (*NAMES, "august") for word in ("--profile", name)]
    with running(
        tmp_path_factory.mktemp("catalogue"), *options, keypads=len(NAMES) + 1, timing=TIMING
    ) as world:
        world.wears_out = True
        with world.keypads[-1].bench() as bench:
            bench.ask(switch="5", down=True)  # for so long that it is stuck, while other rows are tested
        yield world


@pytest.fixture(scope="module")
def still(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    brands = ("--profile", "kwikset", "--profile", "august")
    with running(tmp_path_factory.mktemp("still"), *brands, keypads=2, timing=STILL) as world:
        yield world


SCENARIOS: dict[tuple[str, bool], Scenario] = {
    ("failed_to_set_on_device", False): refused_by_flash("generic", 1),
    ("failed_to_remove_from_device", False): unplugged_removal("generic"),
    ("duplicate_code_on_device", False): pin_of_the_master("generic"),
    ("no_space_for_access_code_on_device", False): full_table("salto_ks"),
    ("smartthings_failed_to_set_access_code", False): refused_by_flash("smartthings", 2),
    ("smartthings_failed_to_set_access_code", True): refused_by_flash("smartthings", 1),
    ("smartthings_failed_to_set_after_multiple_retries", False): refused_by_flash("smartthings", 5),
    ("smartthings_no_free_slots_available", False): full_table("smartthings"),
    ("igloohome_bridge_too_many_pending_jobs", False): twenty_waiting,
    ("igloohome_bridge_offline", False): away("igloohome"),
    ("kwikset_unable_to_confirm_code", True): answer_lost,
    ("kwikset_unable_to_confirm_code", False): answer_lost,
    ("kwikset_unable_to_confirm_deletion", False): unplugged_removal("kwikset"),
    ("august_lock_invalid_code_length", False): length_outside,
    ("august_device_programming_delay", True): pin_made_at_the_keypad,
    ("august_device_programming_delay", False): refused_by_flash("august", 1),
    ("august_device_slots_full", False): full_table("august"),
    ("august_lock_temporarily_offline", True): away("august"),
    ("august_lock_temporarily_offline", False): away("august"),
    ("salto_ks_user_not_subscribed", False): full_table("salto_ks"),
    ("hubitat_device_programming_delay", False): pin_of_the_master("hubitat"),
    ("hubitat_no_free_positions_available", False): full_table("hubitat"),
    ("wyze_duplicate_code_name", False): same_name,
    ("wyze_potential_duplicate_code", False): pin_of_the_master("wyze"),
    ("dormakaba_oracode_no_valid_user_level", False): no_level,
    ("device_disconnected", False): device_away("generic"),
    ("ttlock_lock_not_paired_to_gateway", False): device_away("ttlock"),
    ("lockly_missing_wifi_bridge", False): device_away("lockly"),
    ("delay_in_setting_on_device", True): away("generic"),
    ("delay_in_removing_from_device", True): unplugged_removal("generic"),
    ("device_offline", False): silent,
    ("duplicate_code_attempt_prevented", False): asked_for_twice,
    ("code_modified_external_to_seam", False): taken_off_at_the_keypad(allowed=False),
    ("code_modified_external_to_seam", True): taken_off_at_the_keypad(allowed=True),
    ("third_party_integration_detected", True): taken_off_again_and_again,
    ("hub_disconnected", False): simulated("disconnect_from_hub", "connect_to_hub"),
    ("device_removed", False): simulated("remove", "connect"),
    ("subscription_required", False): simulated(PAID, PAID),
    ("account_disconnected", False): account_cut_off,
    ("missing_device_credentials", False): wrong_key("generic"),
    ("august_lock_not_authorized", False): wrong_key("august"),
    ("bridge_disconnected", False): key_file_lost,
    ("device_has_flaky_connection", True): lost_three_times,
    ("august_lock_missing_keypad", False): stuck_key,
    ("august_lock_missing_bridge", False): never_seen,
    ("salto_ks_subscription_limit_exceeded", False): on_the_account,
    ("device_communication_degraded", True): clock_ahead,
    ("invalid_credentials", False): impostor,
    ("ultraloq_access_code_disabled", True): disabled_by_another_hub,
    ("management_transferred", True): taken_over_by_another_hub,
    ("schlage_detected_duplicate", True): pin_of_the_master("schlage"),
    ("schlage_creation_outage", True): refused_by_flash("schlage", 1),
    ("empty_backup_access_code_pool", False): no_spare_code_yet,
    ("partial_backup_access_code_pool", True): room_for_one_spare_code,
    ("many_active_backup_codes", True): three_pulled,
    ("scheduled_maintenance_window", True): other_firmware,
    ("igloo_algopin_must_be_used_within_24_hours", True): unused_offline_code,
    ("auxiliary_heat_running", False): reported("ecobee", "auxiliary_heat"),
    ("power_saving_mode", True): reported("generic", "power_saving"),
}


ROWS = {
    **{(name, False): row for name, row in ERRORS.items()},
    **{(name, True): row for name, row in (CODE_WARNINGS | DEVICE_WARNINGS).items()},
}


@pytest.mark.parametrize("key", sorted(ROWS), ids=lambda key: f"{key[0]}{'-warning' if key[1] else ''}")
def test_condition_appears_with_its_cause_and_goes_with_it(
    world: World, still: World, key: tuple[str, bool]
) -> None:
    name, is_warning = key
    SCENARIOS[key](Row(world, still, name, ROWS[key], is_warning=is_warning))


def test_every_row_has_a_scenario() -> None:
    assert SCENARIOS.keys() == ROWS.keys()
