"""Who sits at the command line of the hub's computer."""

import os
import pwd


def name() -> str:
    """The user that the system runs this process for, by its own account and not by what the environment says.

    Who became that user by sudo is named first: "ann as root".
    """
    user_id = os.getuid()
    try:
        user = pwd.getpwuid(user_id).pw_name
    except KeyError:  # a container's user that has no name
        user = f"uid {user_id}"
    before = os.environ.get("SUDO_USER", user)
    return user if before == user else f"{before} as {user}"
