#!/usr/bin/env python3
"""A program in the local network (BEP 14) that other stories have to bear.

lsd.py listen          prints each packet that comes, as one line with its ends of lines escaped
lsd.py flood PORT INFO_HASH SECONDS
                       sends a thousand packets a second: other ports, senders beyond the network, no end, NUL bytes;
                       prints how many it sent. Connections to it are counted: it prints them too
lsd.py say PORT INFO_HASH
                       announces itself once a second, and prints each connection
"""
import socket, struct, sys, threading, time

GROUP, PORT = '239.192.152.143', 6771


def packet(port, info_hash, end='\r\n\r\n\r\n'):
    text = f'BT-SEARCH * HTTP/1.1\r\nHost: {GROUP}:{PORT}\r\nPort: {port}\r\nInfohash: {info_hash}{end}'
    return text.encode('latin-1')


def listen():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((GROUP, PORT))
    s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton(GROUP) + socket.inet_aton('10.77.0.2'))
    print('listening', flush=True)
    while True:
        data, sender = s.recvfrom(2000)
        print(sender[0], len(data), data.decode('latin-1').encode('unicode_escape').decode(), flush=True)


def accept(port):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(('0.0.0.0', port))
    s.listen(100)

    def run():
        while True:
            c, sender = s.accept()
            print('connection', port, sender[0], flush=True)
            c.close()
    threading.Thread(target=run, daemon=True).start()


def sending():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton('10.77.0.2'))
    return s


def from_elsewhere(raw, source, payload):
    udp = struct.pack('!HHHH', 7000, PORT, 8 + len(payload), 0) + payload
    head = struct.pack('!BBHHHBBH4s4s', 0x45, 0, 20 + len(udp), 0, 0, 1, 17, 0, socket.inet_aton(source),
                       socket.inet_aton(GROUP))
    raw.sendto(head + udp, (GROUP, 0))


def flood(port, info_hash, seconds):
    accept(port)
    s = sending()
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    raw.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton('10.77.0.2'))
    begin, sent = time.time(), 0
    while time.time() - begin < seconds:
        kind = sent % 7
        if kind == 0:
            s.sendto(packet(port, info_hash), (GROUP, PORT))
        elif kind == 1:  # a victim's ports
            s.sendto(packet(1 + sent % 60000, info_hash), (GROUP, PORT))
        elif kind == 2:  # a victim elsewhere
            from_elsewhere(raw, '198.51.100.7', packet(port, info_hash))
        elif kind == 3:
            s.sendto(packet(port, info_hash, end='\r\n'), (GROUP, PORT))
        elif kind == 4:
            s.sendto(packet(port, info_hash).replace(b'Host', b'Ho\0st'), (GROUP, PORT))
        elif kind == 5:
            s.sendto(packet(port, info_hash, end='\r\nX: ' + 'x' * 1300 + '\r\n\r\n\r\n'), (GROUP, PORT))
        else:
            s.sendto(b'\0' * 100, (GROUP, PORT))
        sent += 1
        pause = begin + sent / 1000 - time.time()
        if pause > 0:
            time.sleep(pause)
    print('sent', sent, flush=True)


def say(port, info_hash):
    accept(port)
    s = sending()
    while True:
        s.sendto(packet(port, info_hash), (GROUP, PORT))
        print('said', flush=True)
        time.sleep(1)


if __name__ == '__main__':
    if sys.argv[1] == 'listen':
        listen()
    elif sys.argv[1] == 'flood':
        flood(int(sys.argv[2]), sys.argv[3], float(sys.argv[4]))
    else:
        say(int(sys.argv[2]), sys.argv[3])
