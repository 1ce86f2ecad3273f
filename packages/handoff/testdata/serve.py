"""A receiver in Python: serves one request on the socket that it inherited."""
import os
import selectors
import socket

assert int(os.environ["LISTEN_PID"]) == os.getpid(), "not for this process"
names = os.environ["LISTEN_FDNAMES"].split(":")
listener = socket.socket(fileno=3 + names.index("web"))
# The socket stays non-blocking: its mode is shared with the other process.
selector = selectors.DefaultSelector()
selector.register(listener, selectors.EVENT_READ)
while True:
    selector.select()
    try:
        connection, _ = listener.accept()
        break
    except BlockingIOError:
        continue  # The other process was quicker.
connection.setblocking(True)
request = connection.recv(65536).split(b"\r\n")[0]
connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\npython " + request)
connection.close()
