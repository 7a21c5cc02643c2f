"""What may be asked for in a code beyond PIN and window: each option is honoured, or refused by its name."""

from typing import Literal

import msgspec
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.api.errors import ApiError, invalid_field
from doorpad.store.schema import AccessCode, Device
from doorpad.sync import backups

MaxTimeRounding = Literal["1hour", "1day", "1h", "1d"]


class ModificationAllowed(msgspec.Struct, kw_only=True):
    """Whether other hands may change the code."""

    allow_external_modification: bool | None = None  # the old spelling
    is_external_modification_allowed: bool | None = None

    def external_modification_allowed(self) -> bool | None:
        if self.is_external_modification_allowed is not None:
            return self.is_external_modification_allowed
        return self.allow_external_modification


class CodeOptions(ModificationAllowed, kw_only=True):
    """The options that creating and changing a code have in common."""

    # False: refuse rather than let the code wait for a keypad that is away.
    attempt_for_offline_device: bool | None = None
    is_one_time_use: bool | None = None  # the keypad writes down that it is used up before the strike moves
    # The PIN is the lock's own, and ends if nobody uses it within a day: where the brand has such codes.
    is_offline_access_code: bool | None = None
    use_offline_access_code: bool | None = None  # the old spelling
    # Switches the device's pool of spare codes on, for good: for codes with a time frame only.
    use_backup_access_code_pool: bool | None = None
    # Refused when false: the keypad itself keeps to the window, and so holds the code ahead of it.
    prefer_native_scheduling: bool | None = None
    # Nothing is ever rounded to hours: the keypad keeps to the second.
    max_time_rounding: MaxTimeRounding | None = None

    def refuse_unsupported(self) -> None:
        """Raises ApiError 400 on the first field that asks for what keypads cannot do."""
        if self.prefer_native_scheduling is False:
            raise invalid_field(
                "prefer_native_scheduling", "must be true: the keypad itself keeps to the time frame"
            )

    def offline(self) -> bool | None:
        """Whether an offline code is asked for; None: nothing is said of that."""
        if self.is_offline_access_code is not None:
            return self.is_offline_access_code
        return self.use_offline_access_code

    def no_offline_code(self, why: str) -> ApiError:
        """The refusal of what `offline` says, on the field that says it."""
        is_new = self.is_offline_access_code is not None
        name = "is_offline_access_code" if is_new else "use_offline_access_code"
        return invalid_field(name, f"must not be {str(self.offline()).lower()}: {why}")

    async def use_pool(self, session: AsyncSession, code: AccessCode, now_ms: int) -> None:
        """Keep spare codes on the code's device, if that is asked for. Raises ApiError 400 for an ongoing code."""
        if self.use_backup_access_code_pool:
            if code.ends_at_s is None:
                raise invalid_field(
                    "use_backup_access_code_pool",
                    "needs starts_at and ends_at: an ongoing code has no backup",
                )
            await backups.switch_on(session, code.device_id, now_ms)

    def refuse_waiting(self, device: Device) -> None:
        """Raises ApiError 400 if the keypad is away and the code may not wait for it."""
        if self.attempt_for_offline_device is False and device.link_state != "online":
            raise invalid_field("attempt_for_offline_device", "is false, and the device is not connected")
