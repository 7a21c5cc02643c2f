"""A code is told when another one was refused its PIN: somebody tried to take its place.

The refused request itself changes nothing: this is written after it was taken back.
"""

from doorpad.api.errors import ApiError
from doorpad.api.service import Service
from doorpad.store.schema import AccessCode
from doorpad.sync import external


async def note_prevented(service: Service, error: ApiError) -> None:
    """Let the error stand on the code that a refusal named as the holder of the PIN; of others do nothing."""
    holder_id = error.data.get("access_code_id")
    if error.type != "duplicate_access_code" or holder_id is None:
        return
    async with service.database.write() as session:
        code = await session.get(AccessCode, holder_id)
        if code is not None and code.state == "active":
            await external.prevented(session, code, service.now_ms())
            service.changes.wake(code.device_id)
