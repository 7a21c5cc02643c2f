"""`doorpad keys` and `doorpad audit`: who may use the API, and who changed what. All work while a bridge runs."""

import heapq
import json
import sys
from operator import itemgetter
from pathlib import Path
from typing import Annotated

import typer

from doorpad.mistakes import told_in_one_line

app = typer.Typer(help="API keys: create, list and revoke them.", no_args_is_help=True)

_ConfigOption = Annotated[Path, typer.Option(help="The configuration.")]
_CONFIG = Path("doorpad.toml")


@app.command(epilog='Example: doorpad keys create "Front desk" --read-only')
def create(
    name: Annotated[str, typer.Argument(help="What the key is for; the audit log shows it.")],
    read_only: Annotated[
        bool, typer.Option("--read-only", help="The key changes nothing and sees no PIN.")
    ] = False,
    config: _ConfigOption = _CONFIG,
) -> None:
    """Make an API key and show it, this once."""
    from doorpad import config as configuration
    from doorpad.api.keys import add_key, generate_key

    with told_in_one_line():
        key = generate_key()
        added = add_key(configuration.load(config).data, key, name, read_only=read_only)
    print(key)
    print(f"key {added.key_id} can be used now; it is not shown again", file=sys.stderr)


@app.command("list", epilog="Example: doorpad keys list --config /etc/doorpad/doorpad.toml")
def list_(config: _ConfigOption = _CONFIG) -> None:
    """Show the API keys that there are and were, without their secrets."""
    from doorpad import config as configuration
    from doorpad.api.keys import read_keys

    with told_in_one_line():
        keys = read_keys(configuration.load(config).data)
    for key in keys:
        ended = f"revoked {key.revoked_at:%Y-%m-%d %H:%M} by {key.revoked_by}" if key.revoked_at else "in use"
        print(
            f"{key.key_id}  {'read-only' if key.read_only else 'full':<9}  "
            f"created {key.created_at:%Y-%m-%d %H:%M} by {key.created_by}, {ended}  {key.name}"
        )


@app.command(epilog='Example: doorpad keys revoke "Front desk"')
def revoke(
    key: Annotated[str, typer.Argument(help="Id or name, as `doorpad keys list` shows them.")],
    config: _ConfigOption = _CONFIG,
) -> None:
    """End an API key: the next request with it is refused."""
    from doorpad import config as configuration
    from doorpad.api.keys import revoke_key

    with told_in_one_line():
        revoked = revoke_key(configuration.load(config).data, key)
    print(f"key {revoked.key_id} ({revoked.name}) is revoked")


def audit(
    config: _ConfigOption = _CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
) -> None:
    """Show who changed what, the oldest change first: API keys, and users of this system by `doorpad` itself."""
    from doorpad import config as configuration
    from doorpad.api.keys import key_entries, read_keys
    from doorpad.api.times import iso
    from doorpad.store.audit import read_entries
    from doorpad.store.database import FILE_NAME

    with told_in_one_line():
        data = configuration.load(config).data
        of_keys = key_entries(read_keys(data))
        for entry in heapq.merge(of_keys, read_entries(data / FILE_NAME), key=itemgetter("at_ms")):
            if as_json:
                print(json.dumps(entry))
            else:
                fields = f" ({', '.join(entry['fields'])})" if entry["fields"] else ""
                print(
                    f"{iso(entry['at_ms'])}  {entry['key_name']}  {entry['did']} {entry['subject']} "
                    f"{entry['subject_id']}{fields}  {entry['path']}"
                )
