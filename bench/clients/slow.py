# Clients that are slow on purpose: heads that never end, bodies that never end, and answers that nobody reads.
#
#   slow.py PORT SOCKETS    SOCKETS of each kind; prints a line when all are connected, and "gone KIND" when the server has ended the last
#                           of a kind; goes on until standard input ends
#
# In Python because Node cannot set what makes it like the Internet: segments of 1,448 bytes and a small receive buffer. With those of
# loopback (64 KiB and megabytes) 500 readers fill the kernel's memory for TCP, and every socket of the machine waits.
#
# Each kind comes from an address of its own, so that who watches the server's sockets can tell them apart.
import select
import socket
import sys
import time

port, count = int(sys.argv[1]), int(sys.argv[2])
host = f"127.0.0.1:{port}"
ADDRESSES = {"head": "127.0.0.2", "body": "127.0.0.3", "reader": "127.0.0.4"}
FIRST = {
    "head": f"GET / HTTP/1.1\r\nHost: {host}\r\nX-Slow: ",
    "body": f"POST /upload HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000000\r\n\r\n",
    "reader": f"GET /large HTTP/1.1\r\nHost: {host}\r\n\r\n",
}
MORE = {"head": b"a", "body": b"0123456789"}

# Opened in so many groups, so that opening them is not itself the load.
GROUPS, GROUP_EVERY_S = 20, 0.05


def connected(kind):
    client = socket.socket()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 1448)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.bind((ADDRESSES[kind], 0))
    client.connect(("127.0.0.1", port))
    client.setblocking(False)
    client.send(FIRST[kind].encode())
    return kind, client


def go_on(kind, client):
    """False when the server has ended it."""
    try:
        if kind in MORE:
            client.send(MORE[kind])
            return client.recv(4096) != b""
        return client.recv(100) != b"" and not ended(client)
    except BlockingIOError:
        return True
    except OSError:
        return False


# A reader sees the reset behind what it has not read only by asking for nothing but errors.
resets = select.poll()


def ended(reader):
    resets.register(reader, 0)
    try:
        return bool(resets.poll(0))
    finally:
        resets.unregister(reader)


clients = []
for group in range(GROUPS):
    for _ in range(group, count, GROUPS):
        clients += [connected(kind) for kind in ADDRESSES]
    time.sleep(GROUP_EVERY_S)
print(f"opened {len(clients)}", flush=True)

while not select.select([sys.stdin], [], [], 1)[0]:
    still = []
    for kind, client in clients:
        if go_on(kind, client):
            still.append((kind, client))
        else:
            client.close()
    kinds = {kind for kind, _ in clients}
    clients = still
    for kind in kinds - {kind for kind, _ in still}:
        print(f"gone {kind}", flush=True)
