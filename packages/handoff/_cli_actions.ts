// deno-lint-ignore-file no-console -- a command line writes lines.
/** What the command line does. */
import { connect } from "node:net";
import type { Address, Command } from "./_cli_args.ts";
import { Signals, Stopper } from "./_cli_signals.ts";
import { holdFd } from "./_hold_fd.ts";
import { isConn } from "./_socket_kind.ts";
import type { DetachedSocket } from "./detached_socket.ts";
import { openHolder } from "./holder.ts";
import { listen } from "./listen.ts";
import { keptSocketOf, type PassableListener } from "./listener.ts";
import { receiveSockets } from "./receiver.ts";
import { sendSocket } from "./sender.ts";
import { spawnWithSockets } from "./spawn.ts";
import { adopt } from "./adopt.ts";

/** As shells do, more or less: the number of the signal is not at hand. */
const KILLED = 128;
const RETRY_MS = 200;
const RESTART_MS = 500;

/** Does it; gives the exit code. */
export async function act(command: Command): Promise<number> {
  switch (command.action) {
    case "exec":
      return await exec(command);
    case "listen":
      return await giveListeners(command);
    case "send":
      return await giveConnection(command);
    case "receive":
      return await receive(command);
    case "hold":
      return await hold(command);
  }
}

function sayer({ json }: Command): (event: Record<string, unknown>) => void {
  return (event) => {
    if (json) console.log(JSON.stringify(event));
  };
}

async function open(
  command: Command,
  stack: DisposableStack,
): Promise<Record<string, PassableListener>> {
  const say = sayer(command);
  const sockets: Record<string, PassableListener> = {};
  for (const address of command.addresses) {
    const listener = stack.use(await openSocket(address, command.waitSeconds));
    sockets[address.name] = listener;
    const { hostname, port } = listener.addr;
    say({ type: "listening", name: address.name, hostname, port });
  }
  return sockets;
}

/** An address may come with the network: waits for it. */
async function openSocket(
  { name, hostname, port }: Address,
  waitSeconds: number,
): Promise<PassableListener> {
  const deadline = performance.now() + waitSeconds * 1000;
  while (true) {
    try {
      return await listen({ hostname, port });
    } catch (error) {
      const absent = error instanceof Deno.errors.AddrNotAvailable;
      if (absent && performance.now() < deadline) {
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
        continue;
      }
      throw new Error(
        `Cannot listen on ${name}=${hostname}:${port}: ${
          (error as Error).message
        }: choose an address of this machine and a port that is free`,
        { cause: error },
      );
    }
  }
}

async function exec(command: Command): Promise<number> {
  const say = sayer(command);
  using stack = new DisposableStack();
  const sockets = await open(command, stack);
  // Before the program starts: a signal in between is meant for it too.
  using signals = new Signals();
  const child = await spawnWithSockets(command.command!, sockets, {
    args: command.args,
    protocol: command.protocol,
    stdin: "inherit",
    stdout: command.json && command.protocol !== "inetd" ? "piped" : "inherit",
  });
  // The program is the only owner from now on: when it ends, so do they.
  stack.dispose();
  signals.sendTo(child);
  say({ type: "started", pid: child.pid });
  await child.stdout?.pipeTo(Deno.stderr.writable, { preventClose: true });
  const { code, signal } = await child.status;
  say({ type: "exited", code, signal });
  return code ?? KILLED;
}

async function token(command: Command): Promise<Uint8Array> {
  const { tokenFile } = command;
  if (tokenFile === undefined) return new Uint8Array();
  try {
    return await Deno.readFile(tokenFile);
  } catch (error) {
    throw new Error(
      `Cannot read the token from ${tokenFile}: ${(error as Error).message}`,
      { cause: error },
    );
  }
}

async function giveListeners(command: Command): Promise<number> {
  const say = sayer(command);
  using stack = new DisposableStack();
  const sockets = await open(command, stack);
  for (const [name, listener] of Object.entries(sockets)) {
    const options = { token: await token(command), meta: { name } };
    await sendSocket(command.to!, listener, options);
    say({ type: "sent", name });
  }
  return 0;
}

async function giveConnection(command: Command): Promise<number> {
  const { hostname: host, port } = command.connect!;
  // Nothing is read ahead: what the server says first is the receiver's.
  const socket = connect({ host, port, allowHalfOpen: true });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", () => {
      socket.pause();
      resolve();
    });
    socket.once("error", (error) =>
      reject(
        new Error(
          `Cannot connect to ${host}:${port}: ${error.message}: see whether it listens`,
          { cause: error },
        ),
      ));
  });
  try {
    await sendSocket(command.to!, socket, { token: await token(command) });
  } finally {
    socket.destroy();
  }
  sayer(command)({ type: "sent", name: `${host}:${port}` });
  return 0;
}

async function receive(command: Command): Promise<number> {
  const stop = new AbortController();
  using _signals = new Stopper(stop);
  await using receiver = receiveSockets(command.at!, {
    token: await token(command),
    signal: stop.signal,
  });
  receiver.on("refused", ({ reason }) => console.error(`refused: ${reason}`));
  const children = new Set<Promise<unknown>>();
  let left = command.count === 0 ? Infinity : command.count;
  for await (const socket of receiver) {
    using held = socket;
    const { kind, localAddr: local, remoteAddr: remote, meta } = held;
    console.log(
      JSON.stringify({ type: "received", kind, local, remote, meta }),
    );
    if (command.command !== undefined) {
      const child = await runOn(command, held);
      const ended = child.status.finally(() => children.delete(ended));
      children.add(ended);
    }
    if (--left === 0) break;
  }
  await Promise.all(children);
  return 0;
}

/** Connections become standard input and output, listeners descriptor 3. */
async function runOn(
  command: Command,
  socket: DetachedSocket,
): Promise<{ readonly status: Promise<unknown> }> {
  if (isConn(socket.kind) && socket.unread.byteLength > 0) {
    return await relay(command, socket);
  }
  return await spawnWithSockets(command.command!, { socket }, {
    args: command.args,
    protocol: isConn(socket.kind) ? "inetd" : "systemd",
  });
}

/** A program cannot be given bytes that were read: they go through pipes. */
async function relay(
  command: Command,
  socket: DetachedSocket,
): Promise<{ readonly status: Promise<unknown> }> {
  const conn = await adopt(socket, "conn");
  const child = new Deno.Command(command.command!, {
    args: [...command.args],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const copy = async (): Promise<void> => {
    const writer = child.stdin.getWriter();
    const buffer = new Uint8Array(65_536);
    for (let n; (n = await conn.read(buffer)) !== null;) {
      await writer.write(buffer.slice(0, n));
    }
    await writer.close();
  };
  void copy().catch(() => {}); // The program, or the client, has ended.
  const out = child.stdout.pipeTo(conn.writable).catch(() => {});
  return { status: out.then(() => child.status) };
}

async function hold(command: Command): Promise<number> {
  const say = sayer(command);
  const stop = new AbortController();
  using stack = new DisposableStack();
  stack.use(new Stopper(stop));
  const sockets = await open(command, stack);
  await using holder = command.at === undefined
    ? undefined
    : await openHolder(command.at, { token: await token(command) });
  for (const [name, listener] of Object.entries(sockets)) {
    await holder?.store(name, copyOf(listener));
  }
  holder?.on("*", (event) => say({ ...event }));
  say({ type: "holding", names: Object.keys(sockets), at: command.at ?? null });
  const stopped = new Promise<void>((resolve) =>
    stop.signal.addEventListener("abort", () => resolve(), { once: true })
  );
  if (command.command === undefined) await stopped;
  else await supervise(command, sockets, stop.signal, stopped);
  return 0;
}

function copyOf(listener: PassableListener): DetachedSocket {
  const fd = keptSocketOf(listener).duplicate();
  return holdFd(fd, {
    kind: "tcp-listener",
    localAddr: listener.addr as Deno.NetAddr & { transport: "tcp" },
    remoteAddr: null,
  });
}

/** Starts the program again whenever it ends; clients wait meanwhile. */
async function supervise(
  command: Command,
  sockets: Readonly<Record<string, PassableListener>>,
  signal: AbortSignal,
  stopped: Promise<void>,
): Promise<void> {
  const say = sayer(command);
  while (!signal.aborted) {
    const began = performance.now();
    const child = await spawnWithSockets(command.command!, sockets, {
      args: command.args,
      stdout: command.json ? "piped" : "inherit",
      signal,
    });
    say({ type: "started", pid: child.pid });
    const out = child.stdout?.pipeTo(Deno.stderr.writable, {
      preventClose: true,
    });
    const status = await child.status;
    await out;
    say({ type: "exited", code: status.code, signal: status.signal });
    // One that fails at once must not be started without end at full speed.
    const pause = Math.max(0, RESTART_MS - (performance.now() - began));
    const waited = Promise.withResolvers<void>();
    const timer = setTimeout(waited.resolve, pause);
    await Promise.race([waited.promise, stopped]);
    clearTimeout(timer);
  }
}
