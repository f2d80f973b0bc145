#!/usr/bin/env python3
"""A small DHT to measure in: 30 nodes of libtorrent and 10 of ours, each on a host of its own.

dht_net.py SWARMLET FOLDER COUNT
Ours and libtorrent then look up COUNT torrents each that libtorrent announced, at the same time and at the same pace. A
line of JSON for each says how many packets that took, and how many milliseconds until the first peer and the end.

A host is a network namespace without a name, with one TUN device. A process carries the packets between them, each
after the time that its way takes, and writes down those of the two that are compared. Needs root.
"""
import ctypes, fcntl, hashlib, heapq, json, os, pickle, select, signal, struct, subprocess, sys, threading, time
import libtorrent as lt

LIBTORRENT, NODES, OURS, THEIRS = range(1, 31), range(31, 41), 41, 42
PORT = 6881
NEAR, FAR = .005, .035  # seconds from a host to the middle of the net
PACE = .5  # seconds between two lookups: ours never begins them faster
TUNSETIFF, IFF_TUN_NO_PI, CLONE_NEWNET = 0x400454ca, 0x1001, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)


def within(namespace, work):
    """Does `work` in a thread in that namespace, where the threads and sockets stay that it makes."""
    out = []

    def run():
        if (libc.unshare(CLONE_NEWNET) if namespace is None else libc.setns(namespace, CLONE_NEWNET)) == 0:
            out.append(work())
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return out[0] if out else sys.exit('no network namespaces here')


class Host:
    def __init__(self, number):
        self.ip = f'10.77.{number}.1'
        # Those that are compared are equally far away.
        share = .3 if number in (OURS, THEIRS) else hashlib.sha1(b'%d' % number).digest()[0] / 255
        self.way = NEAR + (FAR - NEAR) * share

        def make():
            tun = os.open('/dev/net/tun', os.O_RDWR | os.O_NONBLOCK)
            fcntl.ioctl(tun, TUNSETIFF, struct.pack('16sH22x', b'eth0', IFF_TUN_NO_PI))
            return os.open('/proc/thread-self/ns/net', os.O_RDONLY), tun
        self.namespace, self.tun = within(None, make)
        self.start(['sh', '-ec', f'ip link set lo up; ip addr add {self.ip}/16 dev eth0; ip link set eth0 up']).wait()

    def start(self, command, **more):
        return subprocess.Popen(command, preexec_fn=lambda: libc.setns(self.namespace, CLONE_NEWNET), **more)


def carry(hosts, control, path):
    """Carries packets until `control` is closed. Those of the hosts that are compared go to the file."""
    poll, by_tun = select.epoll(), {host.tun: number for number, host in hosts.items()}
    for fd in [*by_tun, control]:
        poll.register(fd, select.EPOLLIN)
    queue, count, seen = [], 0, []
    while True:
        now = time.monotonic()
        for fd, _ in poll.poll(max(0, queue[0][0] - now) if queue else None):
            if fd == control:
                with open(path, 'wb') as file:
                    return pickle.dump(seen, file)
            packet, source = os.read(fd, 2000), by_tun[fd]
            target = hosts.get(packet[18]) if packet[0] == 0x45 and packet[16:18] == bytes([10, 77]) else None
            if target is None or packet[9] != 17:  # only UDP: a lookup is measured, and no transfer
                continue
            way, now, count = hosts[source].way + target.way, time.monotonic(), count + 1
            heapq.heappush(queue, (now + way, count, target.tun, packet))
            if source in (OURS, THEIRS):
                seen.append((now, source, packet[18], packet[28:]))
            elif packet[18] in (OURS, THEIRS):
                seen.append((now + way, source, packet[18], packet[28:]))
        while queue and queue[0][0] <= time.monotonic():
            _, _, tun, packet = heapq.heappop(queue)
            os.write(tun, packet)


def session(host, hosts):
    settings = {'listen_interfaces': f'{host.ip}:{PORT}', 'dht_bootstrap_nodes': '', 'enable_lsd': False,
                'enable_upnp': False, 'enable_natpmp': False, 'enable_outgoing_utp': False,
                'enable_incoming_utp': False, 'dht_restrict_routing_ips': False, 'dht_restrict_search_ips': False,
                'dht_prefer_verified_node_ids': False, 'alert_mask': 0, 'active_limit': 9999, 'active_downloads': 9999,
                'active_dht_limit': 9999, 'aio_threads': 1, 'hashing_threads': 1}
    made = within(host.namespace, lambda: lt.session(settings))
    for other in hosts:
        made.add_dht_node((other.ip, PORT))
    return made


def measured(seen, own, hashes):
    """What came of the lookups of the host `own`: for each, packets, and times until the first peer and the end."""
    looked, open_ = {info_hash: {'packets': 0} for info_hash in hashes}, {}
    for at, source, target, data in sorted(seen, key=lambda one: one[0]):
        packet = lt.bdecode(data) or {}
        if source == own and packet.get(b'q') in (b'get_peers', b'announce_peer'):
            lookup = looked.get(packet[b'a'].get(b'info_hash'))
            if lookup is None or 'end' in lookup and packet[b'q'] == b'get_peers':
                continue
            lookup['packets'] += 1
            if packet[b'q'] == b'announce_peer':
                lookup.setdefault('end', at)  # the nearest nodes are known
            else:
                lookup.setdefault('begin', at)
                open_[target, packet[b't']] = lookup
        elif target == own and b'values' in packet.get(b'r', {}):
            lookup = open_.pop((source, packet[b't']), None)
            if lookup is not None and 'end' not in lookup:
                lookup.setdefault('first', at)
    begun = [lookup for lookup in looked.values() if 'begin' in lookup]
    after = lambda what: [round(1000 * (one[what] - one['begin'])) for one in begun if what in one]
    packets = [lookup['packets'] for lookup in begun]
    return {'lookups': len(begun), 'first': after('first'), 'end': after('end'), 'packets': packets}


def main(swarmlet, folder, count):
    hosts = {number: Host(number) for number in [*LIBTORRENT, *NODES, OURS, THEIRS]}
    (closed, control), path = os.pipe(), folder + '/packets'
    carrier = os.fork()
    if carrier == 0:
        os.close(control)
        carry(hosts, closed, path)
        os._exit(0)
    entry = f'{hosts[1].ip}:{PORT}'
    begin = lambda number, *args: hosts[number].start(
        [swarmlet, *args, '--port', str(PORT), '--dht-node', entry, '--state', f'{folder}/state{number}'],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    sessions, running = {}, []
    try:
        for number in [*LIBTORRENT, THEIRS]:
            sessions[number] = session(hosts[number], [hosts[n] for n in {1, 2, 3, max(1, number // 2)} - {number}])
            time.sleep(3 if number == 3 else .3)
        running += [begin(number, 'dht', 'run') for number in NODES]
        links = folder + '/links'
        os.mkdir(links)
        link = lambda info_hash: 'magnet:?xt=urn:btih:' + info_hash.hex()
        with open(links + '/first.magnet', 'w') as file:  # so that it enters the DHT
            file.write(link(bytes(20)))
        running.append(begin(OURS, 'many', links, '--no-lsd', '--no-port-mapping', '--max-downloads', '9999'))
        time.sleep(45)
        hashes = [hashlib.sha1(b'torrent %d' % number).digest() for number in range(2 * count)]
        for number, info_hash in enumerate(hashes):
            sessions[1 + number % len(LIBTORRENT)].dht_announce(lt.sha1_hash(info_hash), 7000, 0)
            time.sleep(.1)
        time.sleep(5)
        for number, info_hash in enumerate(hashes[:count]):
            with open(f'{links}/{number}.magnet', 'w') as file:
                file.write(link(info_hash))
        for info_hash in hashes[count:]:
            torrent = lt.parse_magnet_uri(link(info_hash))
            torrent.save_path = folder
            torrent.flags &= ~(lt.torrent_flags.auto_managed | lt.torrent_flags.paused)  # it begins at once
            sessions[THEIRS].add_torrent(torrent)
            time.sleep(PACE)
        time.sleep(20)  # ours looks into the folder every 10 seconds
    finally:
        for process in running:
            process.send_signal(signal.SIGTERM)
        os.close(control)
        os.waitpid(carrier, 0)
    with open(path, 'rb') as file:
        seen = pickle.load(file)
    print(json.dumps(measured(seen, OURS, hashes[:count])))
    print(json.dumps(measured(seen, THEIRS, hashes[count:])), flush=True)
    os._exit(0)  # sessions take long to end


if __name__ == '__main__':
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
