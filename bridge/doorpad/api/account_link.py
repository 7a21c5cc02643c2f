"""/connected_accounts sync, delete and simulate/disconnect: the hub's link to all its keypads at once.

A simulated disconnection pulls the cables of the emulated keypads and says why on each of them, so that it outlives
a restart; sync, by which a client asks for everything to be in step, ends it.
"""

import contextlib
from collections.abc import Sequence
from uuid import UUID, uuid4

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.api.conditions import ErrorObject, error_object
from doorpad.api.errors import ApiError, not_found, not_simulated
from doorpad.api.service import CREATE, REMOVE, AnyOperation, Operation, Reply, Service
from doorpad.errors import BenchUnavailable
from doorpad.events.log import record
from doorpad.store.catalogue import ACCOUNT, ERRORS
from doorpad.store.device_conditions import CUT_OFF, lift, stand
from doorpad.store.schema import Device

_ON_ACCOUNT = [name for name, condition in ERRORS.items() if condition.subject == ACCOUNT]


class AccountParams(msgspec.Struct, kw_only=True):
    connected_account_id: UUID


class DeleteParams(AccountParams, kw_only=True):
    sync: bool | None = None


async def account_errors(session: AsyncSession) -> list[ErrorObject]:
    """What stands on the hub, as it is shown on the hub itself: each keypad's row says it."""
    errors = []
    for code in _ON_ACCOUNT:
        since_ms = await session.scalar(
            select(func.min(func.json_extract(Device.conditions, f"$.{code}.since_ms")))
        )
        if since_ms is not None:
            error = error_object(code, since_ms)
            error.is_bridge_error = False
            errors.append(error)
    return errors


async def check_account(service: Service, account_id: UUID) -> None:
    """Raises ApiError 404 unless it is the hub's id."""
    hub = await service.database.hub()
    if str(account_id) != hub.connected_account_id:
        raise not_found("connected_account", account_id)


async def _sync(service: Service, params: AccountParams) -> Reply:
    """Compare all keypads with the database now, not only at the next change."""
    await check_account(service, params.connected_account_id)
    now_ms = service.now_ms()
    async with service.database.write() as session:
        devices = (await session.scalars(select(Device))).all()
        cut_off = [device for device in devices if lift(device, CUT_OFF)]
        if cut_off:
            await _tell(session, "connected_account.connected", now_ms)
    await _set_cables(service, cut_off, True)
    for device in devices:
        service.changes.try_again(device.device_id)
    return {}


async def _disconnect(service: Service, params: AccountParams) -> Reply:
    """Raises ApiError 400 if any keypad is a real one, whose cable the hub cannot pull."""
    await check_account(service, params.connected_account_id)
    now_ms = service.now_ms()
    async with service.database.write() as session:
        devices = (await session.scalars(select(Device))).all()
        for device in devices:
            if not device.simulated:
                raise not_simulated(device.device_id)
        told = "Account is disconnected: simulated; connected_accounts/sync connects it"
        new = [device for device in devices if stand(device, CUT_OFF, told, now_ms)]
        if new:
            await _tell(session, "connected_account.disconnected", now_ms, {"error_code": CUT_OFF})
    await _set_cables(service, devices, False)
    return {}


async def _set_cables(service: Service, devices: Sequence[Device], plugged: bool) -> None:
    for device in devices:
        with contextlib.suppress(BenchUnavailable):  # an emulator that does not run has no cable in
            await service.bench.set_cable(device.device_id, plugged)


async def _delete(service: Service, params: DeleteParams) -> Reply:
    await check_account(service, params.connected_account_id)
    raise ApiError(
        409,
        "connected_account_is_connected",
        "this hub itself answers: to delete it, stop it and remove its data folder",
        data={"connected_account_id": str(params.connected_account_id)},
    )


async def _tell(
    session: AsyncSession, event_type: str, now_ms: int, payload: dict[str, str] | None = None
) -> None:
    await record(
        session,
        event_id=str(uuid4()),
        event_type=event_type,
        device_id=None,
        access_code_id=None,
        occurred_at_ms=now_ms,
        created_at_ms=now_ms,
        payload=payload or {},
    )


OPERATIONS: tuple[AnyOperation, ...] = (
    Operation(
        "/connected_accounts/sync",
        CREATE,
        AccountParams,
        _sync,
        "Compare all keypads with what they shall hold.",
        {},
    ),
    Operation(
        "/connected_accounts/simulate/disconnect",
        CREATE,
        AccountParams,
        _disconnect,
        "Pull the cables of all emulated keypads; sync plugs them in.",
        {},
    ),
    Operation(
        "/connected_accounts/delete",
        REMOVE,
        DeleteParams,
        _delete,
        "Not possible: the hub that answers is connected.",
        {},
    ),
)
