#!/usr/bin/env python3
"""libtorrent (rasterbar, from PyPI) as a peer of the tests, or as a maker of torrents.

lt_peer.py make PATH PIECE_LENGTH ANNOUNCE OUT
lt_peer.py make-sorted PATH PIECE_LENGTH OUT       files in the order of their paths, not in that of the folder
lt_peer.py make-hybrid PATH OUT                    of versions 1 and 2; prints both info-hashes
lt_peer.py seed|get|stay TORRENT DIR INTERFACE RATE [ENCRYPTION]
                                                   INTERFACE like 127.0.0.1:7001, RATE bytes/s of upload (0: any),
                                                   ENCRYPTION 0 always, 1 if asked, 2 never (without: 2)
lt_peer.py dht-seed|dht-get TORRENT DIR INTERFACE RATE NODE    the same, and it uses the DHT, entered by NODE (IP:PORT)
lt_peer.py lsd-seed|lsd-get TORRENT DIR INTERFACE RATE     the same, and it searches in the local network
A peer prints "uploaded N" whenever the payload it sent has grown, and "lsd ..." for each peer that announces itself in
the local network; `get` ends when it has all, `stay` does not and prints "pex IP:PORT" for each connected peer that
another peer told it of.
"""
import os, sys, time
import libtorrent as lt


def make(path, piece_length, announce, out):
    files = lt.file_storage()
    lt.add_files(files, path)
    t = lt.create_torrent(files, int(piece_length), lt.create_torrent.v1_only)
    t.add_tracker(announce)
    lt.set_piece_hashes(t, os.path.dirname(path))
    with open(out, 'wb') as f:
        f.write(lt.bencode(t.generate()))


def make_sorted(path, piece_length, out):
    above = os.path.dirname(path)
    found = [path] if os.path.isfile(path) else [os.path.join(d, n) for d, _, names in os.walk(path) for n in names]
    files = lt.file_storage()
    for name in sorted(found, key=os.fsencode):
        files.add_file(os.path.relpath(name, above), os.path.getsize(name))
    t = lt.create_torrent(files, int(piece_length), lt.create_torrent.v1_only)
    lt.set_piece_hashes(t, above)
    with open(out, 'wb') as f:
        f.write(lt.bencode(t.generate()))


def make_hybrid(path, out):
    files = lt.file_storage()
    lt.add_files(files, path)
    t = lt.create_torrent(files, 16384)
    lt.set_piece_hashes(t, os.path.dirname(path))
    data = lt.bencode(t.generate())
    with open(out, 'wb') as f:
        f.write(data)
    hashes = lt.torrent_info(lt.bdecode(data)).info_hashes()
    print(hashes.v1, hashes.v2)


def peer(role, torrent, dir_, interface, rate, more=''):
    lsd, dht = role.startswith('lsd-'), role.startswith('dht-')
    node, encryption = (more, 2) if dht else ('', int(more or 2))
    role = role.removeprefix('lsd-').removeprefix('dht-')
    s = lt.session({'listen_interfaces': interface, 'enable_dht': dht, 'dht_bootstrap_nodes': node,
                    'dht_restrict_routing_ips': False, 'dht_restrict_search_ips': False,
                    'dht_prefer_verified_node_ids': False, 'enable_lsd': lsd, 'enable_upnp': False,
                    'enable_natpmp': False, 'enable_outgoing_utp': False, 'enable_incoming_utp': False,
                    'allow_multiple_connections_per_ip': True, 'out_enc_policy': encryption,
                    'in_enc_policy': encryption, 'allowed_enc_level': 3 if encryption else 2,
                    'min_reconnect_time': 1, 'upload_rate_limit': int(rate)})
    if int(rate):  # libtorrent does not limit local peers unless they are put in the class that is limited
        f = lt.ip_filter()
        f.add_rule('0.0.0.0', '255.255.255.255', 1)
        f.add_rule('::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff', 1)
        s.set_peer_class_filter(f)
    if lsd:
        s.apply_settings({'alert_mask': lt.alert.category_t.session_log_notification})
    if torrent.startswith('magnet:'):
        p = lt.parse_magnet_uri(torrent)
    else:
        p = lt.add_torrent_params()
        p.ti = lt.torrent_info(torrent)
    p.save_path = dir_
    if role == 'seed':
        p.flags |= lt.torrent_flags.seed_mode
    h = s.add_torrent(p)
    asked = time.time()
    if lsd:
        print('started', flush=True)
    uploaded, told = 0, set()
    while True:
        for peer in h.get_peer_info() if role == 'stay' else ():
            if peer.source & lt.peer_info.pex and peer.ip not in told:
                told.add(peer.ip)
                print('pex', '%s:%d' % peer.ip, flush=True)
        status = h.status()
        if dht and time.time() > asked + 2:  # on its own it waits for 15 minutes
            asked = time.time()
            h.force_dht_announce()
        if lsd:
            for alert in s.pop_alerts():
                if '<== LSD' in alert.message() and ' ih: ' in alert.message():
                    print('lsd', alert.message(), flush=True)
        if status.total_payload_upload > uploaded:
            uploaded = status.total_payload_upload
            print('uploaded', uploaded, flush=True)
        if status.errc.value():
            sys.exit(f'libtorrent: {status.errc.message()}')
        if role == 'get' and status.is_seeding:
            # is_seeding comes with the last hash, before the last write: finish both.
            h.flush_cache()
            while not any(isinstance(a, lt.cache_flushed_alert) for a in s.pop_alerts()):
                time.sleep(.02)
            return
        time.sleep(.05)


if __name__ == '__main__':
    makers = {'make': make, 'make-sorted': make_sorted, 'make-hybrid': make_hybrid}
    makers.get(sys.argv[1], lambda *a: peer(sys.argv[1], *a))(*sys.argv[2:])
