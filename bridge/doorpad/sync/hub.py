"""All keypads of this hub: one keeper each, and a way to wake the right one."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterable

from sqlalchemy.exc import SQLAlchemyError

from doorpad.errors import DoorpadError
from doorpad.link.connection import Connection
from doorpad.store.catalogue import ERRORS
from doorpad.store.database import Database
from doorpad.store.device_conditions import STOPPED, stand
from doorpad.store.identity import device_id_for
from doorpad.store.schema import Device, LinkState
from doorpad.sync.account_events import tell_of_creation, tell_of_sync
from doorpad.sync.enrolled import by_configuration
from doorpad.sync.finding import Ports
from doorpad.sync.keeper import Keeper, OnStatistics
from doorpad.sync.keypad_port import KeypadPort
from doorpad.sync.maintained import maintained
from doorpad.sync.retired import retire
from doorpad.sync.strike import Strike
from doorpad.sync.timing import Timing

log = logging.getLogger(__name__)

_AFTER_CRASH_S = 5.0


class Hub:
    """`start()` once, `stop()` once."""

    def __init__(
        self,
        database: Database,
        keypads: Iterable[KeypadPort],
        ports: Ports,
        timing: Timing,
        now_ms: Callable[[], int],
        on_link: Callable[[str, LinkState], None],
        on_statistics: OnStatistics,
    ) -> None:
        self._database = database
        self._now_ms = now_ms
        self._keepers = {
            keeper.device_id: keeper
            for keeper in (
                Keeper(database, keypad, ports, timing, now_ms, on_link, on_statistics, self._note_in_step)
                for keypad in keypads
            )
        }
        self._tasks: list[asyncio.Task[None]] = []
        self._in_step: set[str] = set()
        self._moves: set[asyncio.Task[None]] = set()  # of strikes: a task that nobody holds may be collected

    def wake(self, device_id: str) -> None:
        """What this keypad shall hold has changed. A keypad that is no longer configured is left alone."""
        keeper = self._keepers.get(device_id)
        if keeper is not None:
            keeper.wake()

    def try_again(self, device_id: str) -> None:
        """As `wake`, for somebody who wants to see now whether the keypad takes again what it did not take."""
        keeper = self._keepers.get(device_id)
        if keeper is not None:
            keeper.try_again()

    def move_strike(
        self, device_id: str, attempt_id: str, asked_at_ms: int, *, opens: bool
    ) -> asyncio.Task[None]:
        """Do an attempt that stands in the database; see `Strike.move`."""
        keeper = self._keepers.get(device_id)
        away = Strike(self._database, device_id, self._now_ms)  # of a keypad that is no longer configured
        strike = away if keeper is None else keeper.strike
        task = asyncio.create_task(strike.move(attempt_id, asked_at_ms, opens=opens))
        self._moves.add(task)
        task.add_done_callback(self._moves.discard)
        return task

    def keeps(self, device_id: str) -> bool:
        """Whether the configuration names this keypad."""
        return device_id in self._keepers

    async def session_with(self, serial: str) -> Connection:
        """Return an open session with a keypad, as soon as there is one. Raises KeyError for one not configured."""
        return await self._keepers[device_id_for(serial)].session()

    @contextlib.asynccontextmanager
    async def maintained(self, serial: str) -> AsyncIterator[None]:
        """Tell clients, as long as the block lasts, that this keypad is worked on. Raises KeyError as above."""
        device_id = self._keepers[device_id_for(serial)].device_id
        async with maintained(self._database, device_id, self._now_ms):
            yield

    async def enrol(self) -> None:
        """Bring the keypads of the database in line with those of the configuration: before the API answers."""
        async with self._database.write() as session:
            await tell_of_creation(session)
            now_ms = self._now_ms()
            await retire(session, self._keepers.keys(), by_configuration(now_ms), now_ms)
        for keeper in self._keepers.values():
            await keeper.enrol()

    def start(self) -> None:
        """Keep all that are enrolled, until `stop`."""
        for keeper in self._keepers.values():
            self._tasks.append(asyncio.create_task(self._keep(keeper)))

    async def stop(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _note_in_step(self, device_id: str, is_in_step: bool) -> None:
        if not is_in_step:
            self._in_step.discard(device_id)
            return
        self._in_step.add(device_id)
        if self._in_step >= self._keepers.keys():
            async with self._database.write() as session:
                await tell_of_sync(session, self._now_ms())

    async def _keep(self, keeper: Keeper) -> None:
        """Run a keeper for ever: one keypad's trouble must not take the others down."""
        while True:
            try:
                await keeper.run()
            except DoorpadError as error:  # a person's to mend, and the message says what
                why = str(error)
                log.error("keeping device %s failed: %s", keeper.device_id, why)
            except Exception:
                why = "the log has the cause"
                log.exception("keeping device %s failed; starting again", keeper.device_id)
            await self._tell_stopped(keeper.device_id, why)
            await asyncio.sleep(_AFTER_CRASH_S)

    async def _tell_stopped(self, device_id: str, why: str) -> None:
        with contextlib.suppress(
            SQLAlchemyError
        ):  # if that is the trouble, there is nowhere to say it but the log
            async with self._database.write() as session:
                device = await session.get_one(Device, device_id)
                stand(device, STOPPED, f"{ERRORS[STOPPED].message}: {why}", self._now_ms())
