"""What the hub tells of itself and of its keypads: each once, over restarts too."""

from hil_world import World, running


def account_events(world: World) -> list[str]:
    return [it.event_type for it in world.events() if it.event_type.startswith("connected_account.")]


def device_events(world: World) -> list[str]:
    return [it.event_type for it in world.events(device_id=world.device_id)]


def test_hub_tells_of_itself_and_of_its_keypads_once(tmp_path_factory) -> None:
    with running(tmp_path_factory.mktemp("account"), keypads=2, timing="poll_s = 0.2") as world:
        world.bridge.event("connected_account.completed_first_sync")
        first = ["connected_account.created", "connected_account.completed_first_sync"]
        assert account_events(world) == first
        assert device_events(world) == ["device.added", "device.connected"]
        world.restart_bridge()
        assert account_events(world) == first
        assert device_events(world) == ["device.added", "device.connected"]
        account_id = world.seam.connected_accounts.list()[0].connected_account_id
        mark = world.bridge.mark()
        world.seam.client.post(
            "/connected_accounts/simulate/disconnect", json={"connected_account_id": account_id}
        )
        for keypad in world.keypads:
            world.bridge.link("disconnected", keypad.device_id, after=mark)
        world.seam.connected_accounts.sync(connected_account_id=account_id)
        world.bridge.event("connected_account.completed_first_sync_after_reconnection", after=mark)
        assert account_events(world) == [
            *first,
            "connected_account.disconnected",
            "connected_account.connected",
            "connected_account.completed_first_sync_after_reconnection",
        ]
        (created,) = (it for it in world.events() if it.event_type == "connected_account.created")
        assert created.connect_webview_id


def test_keypad_that_is_only_read_comes_and_goes_as_an_unmanaged_one(tmp_path_factory) -> None:
    with running(tmp_path_factory.mktemp("unmanaged"), timing="poll_s = 0.2") as world:
        world.seam.devices.update(device_id=world.device_id, is_managed=False)
        mark = world.bridge.mark()
        with world.keypad.bench() as bench:
            bench.ask(cable="out")
            world.bridge.event("device.unmanaged.disconnected", after=mark)
            bench.ask(cable="in")
            world.bridge.event("device.unmanaged.connected", after=mark)
