"""Run by transfer_test.ts: a sender that does what its argument says."""
import json, os, socket, struct, sys

path, what = sys.argv[1:3]
u = socket.socket(socket.AF_UNIX); u.connect(path)
def frame(kind, count=0, text=b"", tail=b""):
    return struct.pack(">3sBBBHII", b"HFS", 1, kind, count, 0, len(text), len(tail)) + text + tail
def answer():
    data = b""
    while len(data) < 16:
        more = u.recv(16 - len(data))
        if not more: return None
        data += more
    n, m = struct.unpack(">II", data[8:])
    rest = b""
    while len(rest) < n + m: rest += u.recv(n + m - len(rest))
    return data[4], json.loads(rest[:n] or b"null")
l = socket.socket(); l.bind(("127.0.0.1", 0)); l.listen()
c = socket.create_connection(l.getsockname()); a, _ = l.accept()
local = "%s:%d" % a.getsockname()
def text(n=1, kind="tcp-conn", local=local, unread=0):
    return json.dumps({"sockets": [{"kind": kind, "local": local, "remote": "", "unread": unread}] * n}).encode()
if what != "no-hello":
    u.sendall(frame(1)); assert answer()[0] == 2
if what == "garbage": u.sendall(b"GET / HTTP/1.1\r\n\r\n")
elif what == "pipe": socket.send_fds(u, [frame(3, 1, text())], [os.pipe()[0]])
elif what == "file": socket.send_fds(u, [frame(3, 1, text())], [os.open("/dev/null", os.O_RDONLY)])
elif what == "wrong-kind": socket.send_fds(u, [frame(3, 1, text(kind="tcp-listener"))], [a.fileno()])
elif what == "wrong-address": socket.send_fds(u, [frame(3, 1, text(local="10.0.0.1:1"))], [a.fileno()])
elif what == "too-few": socket.send_fds(u, [frame(3, 2, text(2))], [a.fileno()])
elif what == "too-many": socket.send_fds(u, [frame(3, 1, text())], [a.fileno(), c.fileno()])
elif what == "on-cancel": socket.send_fds(u, [frame(6)], [a.fileno()])
elif what == "no-hello": socket.send_fds(u, [frame(3, 1, text())], [a.fileno()])
elif what == "half": socket.send_fds(u, [frame(3, 1, text(unread=9))[:30]], [a.fileno()])
elif what == "die": socket.send_fds(u, [frame(3, 1, text(), b"")], [a.fileno()]); os.kill(os.getpid(), 9)
elif what == "die-half": socket.send_fds(u, [frame(3, 1, text())[:20]], [a.fileno()]); os.kill(os.getpid(), 9)
got = answer()
print(json.dumps(got[1] if got else None))
