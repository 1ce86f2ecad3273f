"""Receives connections from @holdfast/handoff at PATH and echoes their bytes.
Usage: python3 receive.py PATH [TOKEN]    (transfer protocol 1, see the README)"""
import hmac, json, os, socket, struct, sys, threading

def exactly(channel, count):
    data, fds = b"", []
    while len(data) < count:
        more, new, flags, _ = socket.recv_fds(channel, count - len(data), 253)
        if not more or flags & socket.MSG_CTRUNC: sys.exit()  # ends this thread
        data, fds = data + more, fds + list(new)
    return data, fds

def frame(channel):
    head, fds = exactly(channel, 16)
    magic, version, kind, count, _, text, tail = struct.unpack(">3sBBBHII", head)
    if magic != b"HFS" or version != 1: sys.exit("not version 1")
    body, more = exactly(channel, text + tail)
    return kind, json.loads(body[:text] or b"null"), body[text:], fds + more

def echo(conn, unread):
    conn.setblocking(True)  # a connection is all ours; never do this to a listener
    conn.sendall(unread)
    while data := conn.recv(65536): conn.sendall(data)
    conn.close()

def serve(channel, token):
    pid, uid, gid = struct.unpack("3i", channel.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    kind, _, given, _ = frame(channel)
    if uid != os.geteuid() or kind != 1 or not hmac.compare_digest(given, token): return channel.close()
    channel.sendall(struct.pack(">3sBBBHII", b"HFS", 1, 2, 0, 0, 0, 0))  # welcome
    while True:
        kind, text, unread, fds = frame(channel)
        channel.sendall(struct.pack(">3sBBBHII", b"HFS", 1, 4, len(fds), 0, 0, 0))  # taken
        for note, fd in zip(text["sockets"], fds):
            conn, mine, unread = socket.socket(fileno=fd), unread[:note["unread"]], unread[note["unread"]:]
            threading.Thread(target=echo, args=(conn, mine), daemon=True).start()

server = socket.socket(socket.AF_UNIX)
server.bind(sys.argv[1]); server.listen(); print("listening", flush=True)
while True: threading.Thread(target=serve, args=(server.accept()[0], sys.argv[2].encode() if len(sys.argv) > 2 else b""), daemon=True).start()
