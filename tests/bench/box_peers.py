#!/usr/bin/env python3
"""libtorrent as all peers of a program that is measured.

box_peers.py INTERFACE TARGET SEEDED DIR FETCHED COPIES

INTERFACE and TARGET are like 127.0.0.1:7001: where it listens, and the program that it connects to. It seeds the
torrents in the folder SEEDED, whose content is in DIR, and fetches those in the folder FETCHED into COPIES. It prints
"moved SENT RECEIVED", in bytes of content that both sides kept, five times a second.
"""
import glob, sys, time
import libtorrent as lt

interface, target, seeded, dir_, fetched, copies = sys.argv[1:]
ip, port = target.split(':')
s = lt.session({'listen_interfaces': interface, 'enable_dht': False, 'enable_lsd': False, 'enable_upnp': False,
                'enable_natpmp': False, 'enable_outgoing_utp': False, 'enable_incoming_utp': False,
                'allow_multiple_connections_per_ip': True, 'out_enc_policy': 2, 'in_enc_policy': 2,
                'min_reconnect_time': 1, 'active_limit': 500, 'active_seeds': 500, 'active_downloads': 500,
                'unchoke_slots_limit': 500, 'alert_mask': 0})


def add(folder, path, is_seed):
    for file in sorted(glob.glob(folder + '/*.torrent')):
        p = lt.add_torrent_params()
        p.ti = lt.torrent_info(file)
        p.trackers, p.save_path = [], path
        p.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)
        if is_seed:
            p.flags |= lt.torrent_flags.seed_mode
        yield s.add_torrent(p)


seeds, leechers = list(add(seeded, dir_, True)), list(add(fetched, copies, False))
asked = 0
while True:
    if time.time() > asked + 2:
        asked = time.time()
        for handle in seeds + leechers:
            if not handle.status().num_peers:
                handle.connect_peer((ip, int(port)))
    sent = sum(handle.status().total_payload_upload for handle in seeds)
    print('moved', sent, sum(handle.status().total_done for handle in leechers), flush=True)
    time.sleep(.2)
