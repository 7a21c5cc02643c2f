"""Errors that stand on access codes: raised once an episode, cleared when their cause is gone."""

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from doorpad.store.schema import AccessCode, CodeError
from doorpad.sync.effects import tell
from doorpad.sync.plan import DUPLICATE, NO_SPACE, Problem

FAILED_TO_SET = "failed_to_set_on_device"

# The API's own words: api reference, catalogue of error codes.
_MESSAGES = {
    NO_SPACE: "No space for access code on device.",
    DUPLICATE: "Duplicate access code detected on device.",
    FAILED_TO_SET: "Failed to set code on device.",
}


async def raise_problem(session: AsyncSession, code: AccessCode, problem: Problem, now_ms: int) -> None:
    """Put an error on a code, with its event, unless it stands there already."""
    standing = await session.get(CodeError, (code.access_code_id, problem.error_code))
    if standing is not None:
        standing.detail = problem.detail
        return
    session.add(
        CodeError(
            access_code_id=code.access_code_id,
            error_code=problem.error_code,
            created_at_ms=now_ms,
            message=_MESSAGES[problem.error_code],
            detail=problem.detail,
        )
    )
    await tell(
        session,
        code,
        "access_code.failed_to_set_on_device",
        f"{problem.error_code}:{now_ms}",
        now_ms,
        {"error_code": problem.error_code},
    )


async def reconcile(
    session: AsyncSession, codes: dict[str, AccessCode], problems: dict[str, Problem], now_ms: int
) -> None:
    """Make the errors that a plan can see (space, duplicates) those that it has seen."""
    for code_id, problem in problems.items():
        await raise_problem(session, codes[code_id], problem, now_ms)
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
