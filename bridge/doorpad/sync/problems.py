"""Errors that stand on access codes: raised once an episode, cleared when their cause is gone."""

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.store.catalogue import CODE_WARNINGS, ERRORS
from doorpad.store.schema import AccessCode, CodeError
from doorpad.sync.plan import DUPLICATE, NO_SPACE, Problem
from doorpad.sync.telling import tell

FAILED_TO_SET = "failed_to_set_on_device"
_FAILED_EVENT = "access_code.failed_to_set_on_device"


async def raise_problem(
    session: AsyncSession,
    code: AccessCode,
    problem: Problem,
    now_ms: int,
    *,
    event_type: str | None = None,
    is_warning: bool = False,
    hint: str = "",
) -> bool:
    """Put an error or warning on a code, with its event, unless it stands there already.

    Args:
        event_type: None is failed_to_set_on_device for an error, and no event for a warning.
        hint: a sentence for people after the API's own words.
    Returns:
        Whether it is new.
    """
    if not await stand(session, code, problem, now_ms, is_warning=is_warning, hint=hint):
        return False
    event_type = event_type or (None if is_warning else _FAILED_EVENT)
    if event_type is not None:
        payload: dict[str, object] = {} if is_warning else {"error_code": problem.error_code}
        await tell(session, code, event_type, f"{problem.error_code}:{now_ms}", now_ms, payload)
    return True


async def stand(
    session: AsyncSession,
    code: AccessCode,
    problem: Problem,
    now_ms: int,
    *,
    is_warning: bool,
    hint: str = "",
) -> bool:
    """Let the condition stand on the code, with these details; return whether it is new. No event."""
    words = (CODE_WARNINGS if is_warning else ERRORS)[problem.error_code].message
    message = f"{words} {hint}".strip()
    standing = await session.get(CodeError, (code.access_code_id, problem.error_code))
    if standing is not None:
        standing.detail, standing.is_warning, standing.message = problem.detail, is_warning, message
        return False
    session.add(
        CodeError(
            access_code_id=code.access_code_id,
            error_code=problem.error_code,
            created_at_ms=now_ms,
            message=message,
            detail=problem.detail,
            is_warning=is_warning,
        )
    )
    await session.flush()
    return True


async def reconcile(
    session: AsyncSession, codes: dict[str, AccessCode], problems: dict[str, Problem], now_ms: int
) -> int:
    """Make the errors that a plan can see (space, duplicates) those that it has seen; return how many are new."""
    new = 0
    for code_id, problem in problems.items():
        new += await raise_problem(session, codes[code_id], problem, now_ms)
    standing = await session.scalars(
        select(CodeError).where(
            CodeError.access_code_id.in_(codes), CodeError.error_code.in_((NO_SPACE, DUPLICATE))
        )
    )
    for error in standing:
        problem_now = problems.get(error.access_code_id)
        if problem_now is None or problem_now.error_code != error.error_code:
            if error.detail.get("refused"):
                continue  # the keypad said it, and only the keypad can take it back
            await session.execute(
                delete(CodeError).where(
                    CodeError.access_code_id == error.access_code_id,
                    CodeError.error_code == error.error_code,
                )
            )
    return new
