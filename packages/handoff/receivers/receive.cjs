// deno-fmt-ignore-file
// deno-lint-ignore-file no-console
// Receives connections from @holdfast/handoff at PATH and echoes their bytes.
// Usage: node receive.cjs PATH [TOKEN]    (transfer protocol 1, see the README)
// Node's IPC pipe reads descriptors: the accepted channel is opened as one. It
// does not tell who connected: PATH must be in a folder that only you can enter.
const { createHash, timingSafeEqual } = require("node:crypto");
const net = require("node:net");
const process = require("node:process");
const { Pipe, constants } = process.binding("pipe_wrap");
const hash = (bytes) => createHash("sha256").update(bytes).digest();
const head = (type, count) => Buffer.from([0x48, 0x46, 0x53, 1, type, count, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
const token = Buffer.from(process.argv[3] ?? "");

function echo(handle, unread) {
  const conn = new net.Socket({ handle, readable: true, writable: true, allowHalfOpen: true });
  conn.on("error", () => {}).write(unread);
  conn.pipe(conn);
}
net.createServer({ pauseOnConnect: true }, (accepted) => {
  const pipe = new Pipe(constants.IPC), handles = [];
  pipe.open(accepted._handle.fd);
  // Set before each "data" that has one; a later one must not replace it.
  Object.defineProperty(pipe, "pendingHandle", { get: () => null, set: (handle) => handle && handles.push(handle) });
  const channel = new net.Socket({ handle: pipe });
  let bytes = Buffer.alloc(0), trusted = false;
  channel.on("error", () => {}).on("data", (chunk) => {
    bytes = Buffer.concat([bytes, chunk]);
    while (bytes.length >= 16 && bytes.length >= 16 + bytes.readUInt32BE(8) + bytes.readUInt32BE(12)) {
      const [type, at] = [bytes[4], 16 + bytes.readUInt32BE(8)], end = at + bytes.readUInt32BE(12);
      const tail = Buffer.from(bytes.subarray(at, end));
      bytes = bytes.subarray(end);
      if (type === 1) trusted = timingSafeEqual(hash(tail), hash(token));
      if (!trusted || (type !== 1 && type !== 3)) return channel.destroy();
      channel.write(head(type === 1 ? 2 : 4, type === 1 ? 0 : 1)); // welcome, taken
      if (type === 3) echo(handles.shift(), tail);
    }
  });
}).listen(process.argv[2], () => console.log("listening"));
