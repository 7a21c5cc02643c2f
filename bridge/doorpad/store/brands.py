"""Device profiles: emulated keypads that have a brand's limits, and say what stands in a code's way in its words.

A real keypad is of no brand. An emulated one may be told to play one: its firmware gets the brand's slots and code
lengths (`doorpad emulate --profile`), the hub the rules that the maker's cloud has. Whatever then goes wrong goes
wrong in earnest, is found by the same path as on any keypad, and is shown with the brand's own name beside the
general one. This module is the one table from cause to such a name. Pure: rows in, names out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from doorpad_link.messages import ENABLED, HEALTH_KEY_STUCK

from doorpad.store.profile_names import ProfileName
from doorpad.store.schema import UNUSED, AccessCode, CodeError, Device, Slot
from doorpad.store.status import on_keypad, wanted

_DAY_S, _HOUR_S = 86_400, 3_600


@dataclass(frozen=True, slots=True)
class Beside:
    """What a code's neighbours on the same keypad have to do with it.

    names: how many living codes have each name. waiting: how many are still to be brought to the keypad.
    """

    names: Mapping[str, int] = field(default_factory=dict)
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """All that a rule about a code may look at. `standing`: the general conditions on the code, by name."""

    code: AccessCode
    device: Device
    slot: Slot | None
    standing: Mapping[str, CodeError]
    lengths: Sequence[int]
    beside: Beside
    now_s: int

    def since(self, name: str) -> int | None:
        found = self.standing.get(name)
        return None if found is None else found.created_at_ms

    @property
    def is_away(self) -> bool:
        return self.device.link_state != "online"

    @property
    def is_pending(self) -> bool:
        """Whether the code should be on the keypad, and is not as it is wanted."""
        return wanted(self.code, self.now_s) and not on_keypad(self.code, self.slot)

    @property
    def is_due(self) -> bool:
        return self.is_pending and (self.code.starts_at_s or 0) <= self.now_s


Cause = Callable[[Facts], int | None]  # since when it is so, Unix milliseconds; None: it is not
DeviceCause = Callable[[Device], int | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A brand's name for a cause on a code."""

    name: str
    cause: Cause
    is_warning: bool = False


@dataclass(frozen=True, slots=True)
class DeviceRule:
    """A brand's name for a cause on a device: an error."""

    name: str
    cause: DeviceCause


@dataclass(frozen=True, slots=True)
class Constraint:
    """A rule that codes are kept to, by the API's name. `characters`: least and most of a name that is shown."""

    name: Literal["cannot_specify_pin_code", "name_must_be_unique", "name_length"]
    characters: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class Profile:
    """A brand. `digits`: least and most of a PIN; `slots`: codes that its keypad takes."""

    device_type: str
    maker: str
    digits: tuple[int, int]
    slots: int
    rules: tuple[Rule, ...] = ()
    device_rules: tuple[DeviceRule, ...] = ()
    full_error: str | None = None  # stands on the hub while all slots are used
    constraints: tuple[Constraint, ...] = ()
    gives_codes_away: bool = True  # codes that were made at the device can be taken over
    takes_codes: bool = True  # codes can be made for it
    needs_time_zone: bool = False  # its maker's cloud tells times of day, and has to be told where it is
    has_offline_codes: bool = False  # its lock can make up PINs that end if nobody uses them within a day
    has_auxiliary_heat: bool = False  # it is no lock, and may say that this runs

    @property
    def chooses_codes(self) -> bool:
        """Whether the brand makes up the PIN, and none can be asked for."""
        return any(it.name == "cannot_specify_pin_code" for it in self.constraints)

    def shown_name(self, name: str | None) -> str | None:
        """A code's name as the brand's own displays have room for it."""
        for it in self.constraints:
            if it.characters is not None and name is not None:
                return name[: it.characters[1]]
        return name


def _stands(name: str) -> Cause:
    return lambda facts: facts.since(name)


def _refused(least: int, most: int | None = None) -> Cause:
    """The keypad itself refused the code, so many times in a row."""

    def cause(facts: Facts) -> int | None:
        found = facts.standing.get("failed_to_set_on_device")
        times = found.detail.get("times", 0) if found is not None else 0
        return found.created_at_ms if found and least <= times and (most is None or times <= most) else None

    return cause


def _late(name: str, *, away: bool) -> Cause:
    """The code is not on the keypad though it is time, and the general warning of that stands, but no failure."""

    def cause(facts: Facts) -> int | None:
        has_failed = "failed_to_set_on_device" in facts.standing
        return facts.since(name) if facts.is_away == away and not has_failed else None

    return cause


def _failed(*, away: bool) -> Cause:
    return lambda facts: facts.since("failed_to_set_on_device") if facts.is_away == away else None


def _first_away(facts: Facts) -> int | None:
    """It is time to write the code, and there is no link; but it has not failed for that yet."""
    if not (facts.is_due and facts.is_away) or "failed_to_set_on_device" in facts.standing:
        return None
    return max(facts.device.link_changed_at_ms, facts.code.asked_at_ms)


def _due_and_away(facts: Facts) -> int | None:
    return (
        max(facts.device.link_changed_at_ms, facts.code.asked_at_ms)
        if facts.is_due and facts.is_away
        else None
    )


def _unanswered(*, failed: bool) -> Cause:
    """The code was sent, or was about to be, when the link was lost: whether it is there cannot be told."""

    def cause(facts: Facts) -> int | None:
        is_in_doubt = facts.is_away and facts.is_pending and facts.code.slot is not None
        since = facts.since("failed_to_set_on_device")
        if not is_in_doubt or failed != (since is not None):
            return None
        return since or facts.device.link_changed_at_ms

    return cause


def _unconfirmed_removal(facts: Facts) -> int | None:
    return facts.since("delay_in_removing_from_device") if facts.is_away and facts.slot is not None else None


def _length_outside(facts: Facts) -> int | None:
    fits = facts.code.code is None or len(facts.code.code) in facts.lengths
    return None if fits else facts.code.asked_at_ms


def _no_keys(facts: Facts) -> int | None:
    """The keys cannot be used. All that this hardware can find out about its own keys is that one is stuck."""
    return facts.code.asked_at_ms if facts.device.health & HEALTH_KEY_STUCK else None


def _too_many_waiting(facts: Facts) -> int | None:
    return facts.code.asked_at_ms if facts.is_pending and facts.beside.waiting >= 20 else None


def _same_name(facts: Facts) -> int | None:
    name = facts.code.name
    return facts.code.asked_at_ms if name is not None and facts.beside.names.get(name, 0) > 1 else None


def _unknown_duplicate(facts: Facts) -> int | None:
    """The keypad refused the PIN as a duplicate of one that the hub does not know."""
    found = facts.standing.get("duplicate_code_on_device")
    return found.created_at_ms if found is not None and found.detail.get("refused", False) else None


def _no_level(facts: Facts) -> int | None:
    """No level of an Oracode lock fits: those are of whole hours, and of 1 to 30 days together."""
    code = facts.code
    if code.starts_at_s is None or code.ends_at_s is None:
        return code.asked_at_ms
    lasts_s = code.ends_at_s - code.starts_at_s
    fits = lasts_s % _HOUR_S == 0 and code.starts_at_s % _HOUR_S == 0 and _DAY_S <= lasts_s <= 30 * _DAY_S
    return None if fits else code.asked_at_ms


def _unused(facts: Facts) -> int | None:
    return facts.code.created_at_ms if facts.code.offline == UNUSED else None


def _disabled(facts: Facts) -> int | None:
    return None if facts.slot is None or facts.slot.flags & ENABLED else facts.code.asked_at_ms


def _has(condition: str) -> DeviceCause:
    return lambda device: device.conditions[condition]["since_ms"] if condition in device.conditions else None


def _link_is(*states: str) -> DeviceCause:
    return lambda device: device.link_changed_at_ms if device.link_state in states else None


def _never_there(device: Device) -> int | None:
    return device.link_changed_at_ms if device.capacity is None and device.link_state != "new" else None


_NO_SPACE = _stands("no_space_for_access_code_on_device")

PROFILES: Mapping[ProfileName, Profile] = {
    "generic": Profile("doorpad_keypad", "doorpad", (4, 12), 4096),
    "smartthings": Profile(
        "smartthings_lock",
        "smartthings",
        (4, 8),
        27,  # of 30, three are the brand's own
        (
            Rule("smartthings_failed_to_set_access_code", _refused(1, 1), is_warning=True),
            Rule("smartthings_failed_to_set_access_code", _refused(2)),
            Rule("smartthings_failed_to_set_after_multiple_retries", _refused(5)),
            Rule("smartthings_no_free_slots_available", _NO_SPACE),
        ),
        gives_codes_away=False,
    ),
    "kwikset": Profile(
        "kwikset_lock",
        "kwikset",
        (4, 8),
        30,
        (
            Rule("kwikset_unable_to_confirm_code", _unanswered(failed=False), is_warning=True),
            Rule("kwikset_unable_to_confirm_code", _unanswered(failed=True)),
            Rule("kwikset_unable_to_confirm_deletion", _unconfirmed_removal),
        ),
        gives_codes_away=False,
    ),
    "august": Profile(
        "august_lock",
        "august",
        (4, 6),
        100,
        (
            Rule("august_lock_invalid_code_length", _length_outside),
            Rule(
                "august_device_programming_delay",
                _late("delay_in_setting_on_device", away=False),
                is_warning=True,
            ),
            Rule("august_device_programming_delay", _failed(away=False)),
            Rule("august_device_slots_full", _NO_SPACE),
            Rule("august_lock_missing_keypad", _no_keys),
            Rule("august_lock_temporarily_offline", _first_away, is_warning=True),
            Rule("august_lock_temporarily_offline", _failed(away=True)),
        ),
        (
            DeviceRule("august_lock_not_authorized", _has("missing_device_credentials")),
            DeviceRule("august_lock_missing_bridge", _never_there),
        ),
    ),
    "igloohome": Profile(
        "igloohome_lock",
        "igloohome",
        (4, 6),
        50,
        (
            Rule("igloohome_bridge_too_many_pending_jobs", _too_many_waiting),
            Rule("igloohome_bridge_offline", _due_and_away),
            Rule("igloo_algopin_must_be_used_within_24_hours", _unused, is_warning=True),
        ),
        gives_codes_away=False,
        has_offline_codes=True,
    ),
    "salto_ks": Profile(
        "salto_lock",
        "salto",
        (4, 6),
        10,  # users that are subscribed
        (Rule("salto_ks_user_not_subscribed", _NO_SPACE),),
        full_error="salto_ks_subscription_limit_exceeded",
    ),
    "hubitat": Profile(
        "hubitat_lock",
        "hubitat",
        (4, 8),
        20,
        (
            Rule("hubitat_device_programming_delay", _late("delay_in_setting_on_device", away=False)),
            Rule("hubitat_no_free_positions_available", _NO_SPACE),
        ),
    ),
    "wyze": Profile(
        "wyze_lock",
        "wyze",
        (4, 8),
        50,
        (
            Rule("wyze_duplicate_code_name", _same_name),
            Rule("wyze_potential_duplicate_code", _unknown_duplicate),
        ),
        constraints=(Constraint("name_must_be_unique"),),
    ),
    "schlage": Profile(
        "schlage_lock",
        "schlage",
        (4, 8),
        100,
        (
            Rule("schlage_detected_duplicate", _stands("duplicate_code_on_device"), is_warning=True),
            Rule("schlage_creation_outage", _refused(1), is_warning=True),
        ),
        constraints=(Constraint("name_length", (1, 12)),),
    ),
    "ttlock": Profile(
        "ttlock_lock",
        "ttlock",
        (6, 9),
        100,
        device_rules=(DeviceRule("ttlock_lock_not_paired_to_gateway", _link_is("disconnected")),),
    ),
    "lockly": Profile(
        "lockly_lock",
        "lockly",
        (6, 8),
        100,
        device_rules=(DeviceRule("lockly_missing_wifi_bridge", _link_is("disconnected", "offline")),),
    ),
    "ultraloq": Profile(
        "ultraloq_lock",
        "ultraloq",
        (4, 8),
        100,
        (Rule("ultraloq_access_code_disabled", _disabled, is_warning=True),),
        needs_time_zone=True,
    ),
    "dormakaba_oracode": Profile(
        "dormakaba_oracode_door",
        "dormakaba",
        (6, 6),
        4096,
        (Rule("dormakaba_oracode_no_valid_user_level", _no_level),),
        constraints=(Constraint("cannot_specify_pin_code"),),
    ),
    "ecobee": Profile(
        "ecobee_thermostat",
        "ecobee",
        (4, 12),
        1,
        gives_codes_away=False,
        takes_codes=False,
        has_auxiliary_heat=True,
    ),
}


def of(device: Device) -> Profile:
    """What a keypad plays."""
    return PROFILES[device.profile]


def on_code(facts: Facts) -> Iterator[tuple[Rule, int]]:
    """What the brand says of a code: rules that hold, and since when."""
    for rule in of(facts.device).rules:
        since_ms = rule.cause(facts)
        if since_ms is not None:
            yield rule, since_ms


def on_device(device: Device) -> Iterator[tuple[str, int]]:
    """What the brand says of a device: names of errors, and since when."""
    for rule in of(device).device_rules:
        since_ms = rule.cause(device)
        if since_ms is not None:
            yield rule.name, since_ms
