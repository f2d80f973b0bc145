#!/usr/bin/env python3
"""A router with its own ideas of port mapping. It runs in the router's network namespace (see home.rs).

router.py packets ADDRESS      NAT-PMP and PCP. ADDRESS is its outer address. Before each answer it sends wrong ones:
                               without our nonce, from another port, with port 0, with lifetime 0. Its own answers have
                               the lifetime 2^32-1 and epoch 0. It prints each mapping that it makes or removes.
                               It renews and removes no mapping for another nonce than that of the first question.
router.py upnp NAME=VALUE...   UPnP. It prints each search, request and call. Names:
    at          the address where it answers (the router's)
    location    the URL of the description, if it is elsewhere
    control     the URL of the service, if it is elsewhere
    redirect    the description is a redirect to this URL
    description 'endless', 'deep', 'slow' or 'open': without end tags
    version     of WANIPConnection
    error       AddPortMapping is refused with this number
    only        error counts only for 'lease' (the lease is not 0) or 'port' (the port is the one that we want first)
router.py listen ADDRESS PORT  prints each connection
"""
import http.server, socket, struct, sys, threading, time

ROUTER, PORT = '192.168.77.1', 7881


def say(*words):
    print(*words, flush=True)


def packets(address):
    outer = socket.inet_aton(address)
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((ROUTER, 5351))
    forger = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    forger.bind((ROUTER, 0))
    nonces = {}
    say('ready')
    while True:
        data, to = s.recvfrom(2000)
        if data[0] == 2 and len(data) == 60 and '--natpmp' not in sys.argv:
            if nonces.setdefault((to[0], data[36:42]), data[24:36]) != data[24:36]:
                s.sendto(bytes([2, 0x81, 0, 2]) + bytes(20) + data[24:], to)  # NOT_AUTHORIZED
                continue
            lifetime, = struct.unpack('!I', data[4:8])
            transport, inner = data[36], struct.unpack('!H', data[40:42])[0]

            def answer(nonce=data[24:36], port=inner + 1, lifetime=lifetime and 0xffffffff):
                return (struct.pack('!BBBBII12x', 2, 0x81, 0, 0, lifetime, 0) + nonce + data[36:42]
                        + struct.pack('!H', port) + bytes(10) + b'\xff\xff' + outer)
            forger.sendto(answer(port=666), to)
            s.sendto(answer(nonce=bytes(12), port=666), to)
            if lifetime:
                s.sendto(answer(port=0), to)
                s.sendto(answer(port=666, lifetime=0), to)
            s.sendto(answer(), to)
            say('PCP', 'maps' if lifetime else 'removes', transport)
        elif data[0] == 0 and data[1] == 0:
            s.sendto(struct.pack('!BBHI', 0, 128, 0, 0) + outer, to)
        elif data[0] == 0:
            inner, _, lifetime = struct.unpack('!HHI', data[4:12])

            def answer(port=inner + 1, lifetime=lifetime and 0xffffffff, inner=inner):
                return struct.pack('!BBHIHHI', 0, data[1] + 128, 0, 0, inner, port, lifetime)
            forger.sendto(answer(port=666), to)
            s.sendto(answer(port=666, inner=inner ^ 1), to)
            if lifetime:
                s.sendto(answer(port=0), to)
                s.sendto(answer(port=666, lifetime=0), to)
            s.sendto(answer(port=inner + 1 if lifetime else 0), to)
            say('NAT-PMP', 'maps' if lifetime else 'removes', data[1])
        else:
            s.sendto(struct.pack('!BBHI', 0, data[1] + 128, 1, 0), to)


def upnp(**like):
    at = like.get('at', ROUTER)
    kind = 'urn:schemas-upnp-org:service:WANIPConnection:' + like.get('version', '1')

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = 'HTTP/1.1'

        def log_message(self, *_):
            pass

        def answer(self, status, body):
            self.send_response(status)
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        def do_GET(self):
            say('get', self.path)
            service = (f'<service><serviceType>{kind}</serviceType><controlURL>{like.get("control", "/control")}'
                       '</controlURL></service>')
            form = like.get('description')
            if 'redirect' in like:
                self.send_response(302)
                self.send_header('Location', like['redirect'])
                self.send_header('Content-Length', '0')
                self.end_headers()
            elif form in ('endless', 'slow'):
                self.send_response(200)
                self.end_headers()
                try:
                    while True:
                        self.wfile.write(b'<a>' * (1 if form == 'slow' else 10000))
                        if form == 'slow':
                            time.sleep(.5)
                except OSError:
                    say('they hang up')
                self.close_connection = True
            elif form == 'deep':
                self.answer(200, '<a>' * 80000 + service)
            elif form == 'open':
                self.answer(200, '<root><service><serviceType>' + kind + '<controlURL>/control' * 1000)
            else:
                self.answer(200, f'<root><device>{service}</device></root>')

        def do_POST(self):
            body = self.rfile.read(int(self.headers['Content-Length'])).decode()
            action = self.headers['SOAPAction'].strip('"').split('#')[1]
            value = lambda name: body.split(f'<{name}>')[1].split('<')[0] if f'<{name}>' in body else ''
            port, lease = value('NewExternalPort'), value('NewLeaseDuration')
            say(' '.join(word for word in ('call', action, value('NewProtocol'), port, lease) if word))
            error = like.get('error') if action.startswith('Add') else None
            if like.get('only') == 'lease' and lease == '0' or like.get('only') == 'port' and port != str(PORT):
                error = None
            if action == 'AddAnyPortMapping' and error:
                return self.answer(200, '<R><NewReservedPort>5555</NewReservedPort></R>')
            if error:
                return self.answer(500, '<s:Fault><detail><UPnPError><errorCode>' + error + '</errorCode>'
                                   '<errorDescription>No\x1b[31mWay</errorDescription></UPnPError></detail></s:Fault>')
            self.answer(200, '<R><NewExternalIPAddress>45.77.0.1</NewExternalIPAddress></R>')

    server = http.server.ThreadingHTTPServer((at, 5000), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(('239.255.255.250', 1900))
    s.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, socket.inet_aton('239.255.255.250') + socket.inet_aton(at))
    sends = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sends.bind((at, 0))
    say('ready')
    while True:
        data, to = s.recvfrom(2000)
        say('search')
        location = like.get('location', f'http://{at}:5000/description.xml')
        sends.sendto(f'HTTP/1.1 200 OK\r\nST: upnp:rootdevice\r\nLOCATION: {location}\r\n\r\n'.encode(), to)


def listen(address, port):
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((address, int(port)))
    s.listen(10)
    say('ready')
    while True:
        s.accept()[0].close()
        say('connection')


if sys.argv[1] == 'packets':
    packets(sys.argv[2])
elif sys.argv[1] == 'listen':
    listen(*sys.argv[2:])
else:
    upnp(**dict(word.split('=', 1) for word in sys.argv[2:]))
