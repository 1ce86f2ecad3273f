/**
 * One end of what Holdfast is compared with: numbered messages of a kilobyte in
 * both directions, a hundred a second, over plain TCP or socket.io. Reads JSON
 * lines and writes JSON lines; see `../peer.ts`.
 *
 * - `plain`: `Deno.connect` once, and again when a read or write fails.
 * - `loop`: the same, and a connection that was silent for two seconds is
 *   closed and made anew, to where the other one is, which it is told.
 * - `socketio`: socket.io with connection state recovery, its pings at a second,
 *   and also told where the other one is.
 */
import { type Line, readLines, say } from "../../demos/main/lines.ts";

const [kind, side, hostname = ""] = Deno.args as [
  "loop" | "plain" | "socketio",
  "client" | "server",
  string?,
];
const PORT = 4000;
const BYTES = 1_024;
const EVERY_MS = 10;
const SILENT_MS = 2_000;

let to = hostname;
let moved: () => void = () => {};
let sent = 0;
let finished = false;
const numbers = new Set<number>();
let doubled = 0;
let lastAt = 0;
let longestGapMs = 0;

function took(number: number): void {
  if (numbers.has(number)) doubled++;
  numbers.add(number);
  const now = performance.now();
  if (lastAt > 0) longestGapMs = Math.max(longestGapMs, now - lastAt);
  lastAt = now;
}

/** What the other one gets; `false` when it was not taken. */
let send: (number: number) => Promise<boolean> = () => Promise.resolve(false);
void (kind === "socketio" ? overSocketIo() : overTcp());
void (async () => {
  while (!finished) {
    // What was refused is not sent: the program knows.
    if (await send(sent + 1)) sent++;
    await pause(EVERY_MS);
  }
})();
for await (const line of readLines(Deno.stdin.readable)) await obey(line);

async function obey(line: Line): Promise<void> {
  if (line.type === "peer-at") {
    to = line.hostname;
    moved();
  }
  if (line.type === "stop") finished = true;
  if (line.type !== "report") return;
  const now = performance.now();
  // A gap that has not ended counts as far as it has come.
  if (lastAt > 0) longestGapMs = Math.max(longestGapMs, now - lastAt);
  say({ type: "report", sent, received: numbers.size, doubled, longestGapMs });
  await pause(20);
  Deno.exit(0);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function overTcp(): Promise<void> {
  if (side === "server") {
    for await (const conn of Deno.listen({ hostname: "0.0.0.0", port: PORT })) {
      void use(conn);
    }
  }
  for (;;) {
    try {
      const signal = AbortSignal.timeout(SILENT_MS);
      await use(await Deno.connect({ hostname: to, port: PORT, signal }));
    } catch {
      await pause(100);
    }
  }
}

async function use(conn: Deno.TcpConn): Promise<void> {
  let silence: ReturnType<typeof setTimeout> | undefined;
  const close = (): void => {
    try {
      conn.close();
    } catch {
      // It was.
    }
  };
  const heard = (): void => {
    clearTimeout(silence);
    if (kind === "loop") silence = setTimeout(close, SILENT_MS);
  };
  const mine = async (number: number): Promise<boolean> => {
    const bytes = new Uint8Array(BYTES);
    new DataView(bytes.buffer).setUint32(0, number);
    try {
      for (let at = 0; at < BYTES;) at += await conn.write(bytes.subarray(at));
      return true;
    } catch {
      return false;
    }
  };
  send = mine;
  heard();
  if (side === "client") say({ type: "connected" });
  const message = new Uint8Array(BYTES);
  try {
    for (;;) {
      for (let at = 0; at < BYTES;) {
        const n = await conn.read(message.subarray(at));
        if (n === null) return;
        at += n;
        heard();
      }
      took(new DataView(message.buffer).getUint32(0));
    }
  } catch {
    // It broke.
  } finally {
    clearTimeout(silence);
    if (send === mine) send = () => Promise.resolve(false);
    close();
  }
}

async function overSocketIo(): Promise<void> {
  if (side === "server") {
    const { Server } = await import("socket.io");
    const { createServer } = await import("node:http");
    const http = createServer();
    const io = new Server(http, {
      connectionStateRecovery: {},
      ...{ pingInterval: 1_000, pingTimeout: 1_000 },
    });
    io.on("connection", (socket) => {
      socket.on("n", took);
    });
    // By the room of all, so that what is missed can be recovered.
    send = (number) =>
      Promise.resolve(io.emit("n", number, "x".repeat(BYTES - 8)));
    http.listen(PORT, "0.0.0.0");
    return;
  }
  const { io } = await import("socket.io-client");
  const socket = io(`http://${to}:${PORT}`, {
    transports: ["websocket"],
    ...{ reconnectionDelay: 100, reconnectionDelayMax: 500, timeout: 2_000 },
  });
  moved = () => {
    // deno-lint-ignore no-explicit-any -- there is no other way to tell it
    (socket.io as any).uri = `http://${to}:${PORT}`;
    // deno-lint-ignore no-explicit-any -- the engine keeps a copy
    (socket.io as any).opts.hostname = to;
  };
  socket.on("n", took);
  socket.on("connect", () => say({ type: "connected" }));
  send = (number) => {
    socket.emit("n", number, "x".repeat(BYTES - 8));
    return Promise.resolve(true);
  };
}
