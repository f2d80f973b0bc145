#!/usr/bin/env python3
"""transmission-rpc from PyPI with a daemon: the calls of its own tests, and each other method that it has.

rpc_calls.py RPC_PORT TORRENT URL DIR    the .torrent file of a folder with two files or more, where it can be
                                         fetched, and the folder of the daemon's content
"""
import secrets, socket, sys, time
import transmission_rpc
from transmission_rpc import Client

port, path, url, home = int(sys.argv[1]), *sys.argv[2:]
client = Client(host="127.0.0.1", port=port, username="me", password="pass")


def clean():
    for torrent in client.get_torrents():
        client.remove_torrent(torrent.id, delete_data=True)
    assert client.get_torrents() == []


def only():
    torrents = client.get_torrents()
    assert len(torrents) == 1, torrents
    return torrents[0]


def wait(what, is_so):
    for _ in range(100):
        if is_so():
            return
        time.sleep(0.1)
    raise SystemExit(f"not so after 10 s: {what}")


def free_port():
    with socket.socket() as listener:
        listener.bind(("", 0))
        return listener.getsockname()[1]


def add(**options):
    with open(path, "rb") as file:
        return client.add_torrent(file, **options)


def refused(call, words):
    try:
        call()
    except transmission_rpc.error.TransmissionError as error:
        assert words in str(error), error
    else:
        raise SystemExit(f"it was not refused: {words}")


# What its own tests do.
for source in (f"magnet:?xt=urn:btih:{secrets.token_hex(20)}", url):
    client.add_torrent(source)
    only()
    clean()
magnet = secrets.token_hex(20)
client.add_torrent(f"magnet:?xt=urn:btih:{magnet}")
client.stop_torrent(magnet)
wait("it is stopped", lambda: only().status == "stopped")
clean()
for start in (client.start_all, lambda: client.start_torrent(only().id, bypass_queue=True)):
    client.add_torrent(url, paused=True, timeout=10)
    wait("it is not started", lambda: only().stopped)
    start()
    wait("it downloads", lambda: only().downloading)
    clean()
added = add(paused=True)
# Its files are known at once, and not only when they were looked for on the disk.
assert len(only().get_files()) == len(client.get_torrent(added.id).get_files()) >= 2
assert isinstance(only().id, int) and isinstance(only().name, str)
tiers = [["https://a.example/announce", "https://b.example/announce"], ["https://backup.example/announce"]]
client.change_torrent(added.id, tracker_list=tiers)
assert client.get_torrent(added.id).fields["trackerList"].split("\n") == [*tiers[0], "", *tiers[1]]
assert client.free_space(client.get_session().download_dir) > 0
assert client.session_stats().torrent_count == 1
# There are no bandwidth groups, and none seems to be made.
refused(lambda: client.set_group("test.1", speed_limit_down=9), "no bandwidth groups")
assert client.get_groups() == {}

# The other methods.
ids, files = [added.id], [file.id for file in only().get_files()]
client.change_torrent(
    ids, bandwidth_priority=1, download_limit=30, download_limited=True, upload_limit=31, upload_limited=True,
    files_unwanted=files[1:], honors_session_limits=False, labels=["a", "b"], peer_limit=9, priority_high=files[:1],
    queue_position=0, seed_idle_limit=7, seed_idle_mode=1, seed_ratio_limit=2.5, seed_ratio_mode=1)
one = client.get_torrent(added.id)
assert (one.bandwidth_priority, one.download_limit, one.upload_limit, one.peer_limit) == (1, 30, 31, 9)
assert (one.seed_idle_limit, one.seed_ratio_limit, one.labels) == (7, 2.5, ["a", "b"])
assert (one.seed_idle_mode, one.seed_ratio_mode, one.honors_session_limits) == (1, 1, False)
assert [file.selected for file in one.get_files()] == [True] + [False] * (len(files) - 1), (files, one.fields)
assert one.get_files()[0].priority == 1 and one.size_when_done < one.total_size and one.is_private is False
assert one.added_date and one.ratio == 0 and one.progress == 0 and one.eta is None, one.fields
assert client.get_torrent(one.hash_string).id == one.id
client.verify_torrent(ids)
client.reannounce_torrent(ids)
second = client.add_torrent(f"magnet:?xt=urn:btih:{magnet}", paused=True)
position = lambda: client.get_torrent(second.id).queue_position
for move, place in ((client.queue_top, 0), (client.queue_down, 1), (client.queue_up, 0), (client.queue_bottom, 1)):
    move(second.id)
    assert position() == place, (move, position())
active, removed = client.get_recently_active_torrents()
assert {torrent.id for torrent in active} == {added.id, second.id}, active
client.remove_torrent(second.id)
assert second.id in client.get_recently_active_torrents()[1]
wait("it is verified", lambda: only().stopped)
client.move_torrent_data(ids, home + "/moved")
wait("it is moved", lambda: client.get_torrent(added.id).download_dir == home + "/moved")
client.locate_torrent_data(ids, home) if hasattr(client, "locate_torrent_data") else client.move_torrent_data(
    ids, home, move=False)
wait("it is found", lambda: client.get_torrent(added.id).download_dir == home)
assert client.rename_torrent_path(added.id, only().name, "other") == (one.name, "other")
assert only().name == "other" and only().get_files()[0].name.startswith("other/")
settings = dict(
    alt_speed_down=11, alt_speed_enabled=True, alt_speed_time_begin=60, alt_speed_time_day=3,
    alt_speed_time_enabled=False, alt_speed_time_end=120, alt_speed_up=12, blocklist_enabled=False,
    blocklist_url="http://127.0.0.1:1/list", dht_enabled=False, default_trackers=["http://127.0.0.1:1/announce"],
    download_dir=home + "/more", download_queue_enabled=False, download_queue_size=6, encryption="required",
    idle_seeding_limit=40, idle_seeding_limit_enabled=True, incomplete_dir=home + "/half",
    incomplete_dir_enabled=True, lpd_enabled=False, peer_limit_global=100, peer_limit_per_torrent=20,
    peer_port=free_port(), peer_port_random_on_start=False, pex_enabled=False, port_forwarding_enabled=False,
    queue_stalled_enabled=False, queue_stalled_minutes=9, rename_partial_files=False, script_torrent_done_enabled=False,
    seed_queue_enabled=True, seed_queue_size=3, seed_ratio_limit=1.5, seed_ratio_limited=True, speed_limit_down=500,
    speed_limit_down_enabled=True, speed_limit_up=400, speed_limit_up_enabled=True, start_added_torrents=False,
    trash_original_torrent_files=True, utp_enabled=False)
client.set_session(**settings)
now = client.get_session()
for name, value in settings.items():
    found = getattr(now, name)
    if name == "default_trackers":
        found = found if isinstance(found, list) else found.split()
    assert found == value, (name, found)
refused(lambda: client.set_session(utp_enabled=True), "no uTP")
refused(lambda: client.set_session(script_torrent_done_filename="/bin/true"), "configuration file")
refused(client.blocklist_update, "127.0.0.1:1")
assert client.port_test() is False or client.port_test().port_is_open is False
clean()
print("all is well")
