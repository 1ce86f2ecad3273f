// Run by transfer_test.ts: echoes what its parent sends over node's channel.
const net = require("node:net");
process.on("message", ({ id, kind, unread }, handle) => {
  if (kind === "tcp-listener") {
    const server = net.createServer((conn) => {
      conn.end("listener node-ipc");
      server.close();
    }).listen(handle);
  } else {
    const conn = new net.Socket({
      handle,
      readable: true,
      writable: true,
      allowHalfOpen: true,
    });
    conn.write(Buffer.from(unread, "base64"));
    conn.pipe(conn);
  }
  process.send({ holdfast: 1, taken: id });
});
