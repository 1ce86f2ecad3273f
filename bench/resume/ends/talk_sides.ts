/**
 * Ours, socket.io and partysocket as a careful program would use them: the
 * shortest wait before a redial that is the same for both peers, and messages
 * addressed to whoever the client is now, not to a connection that is gone.
 */
import type { AddressInfo } from "node:net";
import type { ResumableConn } from "@holdfast/resume";
import { ours } from "./byte_sides.ts";

/** What an end is told. */
export interface TalkHooks {
  received(n: number): void;
  /** The connection is gone. */
  lost(): void;
  /** There is one again; whether it goes on where the last one broke. */
  back(asBefore: boolean): void;
}

/** One end of a talk. */
export interface Talk {
  readonly port: number;
  send(n: number): void;
}

/** How a peer talks. */
export interface TalkSide {
  listen(hooks: TalkHooks): Promise<Talk>;
  join(port: number, hooks: TalkHooks): Promise<Talk>;
}

const hostname = "127.0.0.1";
const REDIAL_MS = 50;
const RECORD_BYTES = 32;

async function readRecords(
  conn: ResumableConn,
  hooks: TalkHooks,
): Promise<void> {
  const record = new Uint8Array(RECORD_BYTES);
  const view = new DataView(record.buffer);
  for (let at = 0;;) {
    const n = await conn.read(record.subarray(at));
    if (n === null) return;
    at = (at + n) % RECORD_BYTES;
    if (at === 0) hooks.received(view.getFloat64(0));
  }
}

function talkOver(conn: ResumableConn, hooks: TalkHooks): Talk["send"] {
  // Whatever ends it early shows as messages that are missing.
  readRecords(conn, hooks).catch(() => {});
  let last: Promise<void> = Promise.resolve();
  const write = async (n: number): Promise<void> => {
    const record = new Uint8Array(RECORD_BYTES);
    new DataView(record.buffer).setFloat64(0, n);
    for (let at = 0; at < RECORD_BYTES;) {
      at += await conn.write(record.subarray(at));
    }
  };
  return (n) => void (last = last.then(() => write(n)).catch(() => {}));
}

function oursSide(): TalkSide {
  const side = ours({});
  return {
    listen(hooks) {
      const listener = side.listen(true);
      const waiting: number[] = [];
      let send = (n: number): void => void waiting.push(n);
      void listener.accept().then((conn) => {
        send = talkOver(conn as ResumableConn, hooks);
        for (const n of waiting) send(n);
      });
      return Promise.resolve({ port: listener.port, send: (n) => send(n) });
    },
    async join(port, hooks) {
      const conn = await side.connect(port, true) as ResumableConn;
      conn.on("detached", () => hooks.lost());
      conn.on("resumed", () => hooks.back(true));
      return { port, send: talkOver(conn, hooks) };
    },
  };
}

function socketIoSide(): TalkSide {
  return {
    async listen(hooks) {
      const { Server } = await import("socket.io");
      const http = await import("node:http");
      const server = http.createServer();
      const sockets = new Server(server, {
        connectionStateRecovery: {},
        transports: ["websocket"],
      });
      sockets.on("connection", (socket) => {
        void socket.join("all");
        socket.on("m", (n: number) => hooks.received(n));
      });
      await new Promise<void>((resolve) =>
        server.listen(0, hostname, () => resolve())
      );
      const { port } = server.address() as AddressInfo;
      return { port, send: (n) => void sockets.to("all").emit("m", n) };
    },
    async join(port, hooks) {
      const { io } = await import("socket.io-client");
      const socket = io(`http://${hostname}:${port}`, {
        transports: ["websocket"],
        reconnectionDelay: REDIAL_MS,
        reconnectionDelayMax: REDIAL_MS,
        randomizationFactor: 0,
      });
      socket.on("m", (n: number) => hooks.received(n));
      await new Promise<void>((resolve) => socket.once("connect", resolve));
      socket.on("disconnect", () => hooks.lost());
      socket.on("connect", () => hooks.back(socket.recovered));
      return { port, send: (n) => void socket.emit("m", n) };
    },
  };
}

function partySocketSide(): TalkSide {
  return {
    listen(hooks) {
      let current: WebSocket | undefined;
      const options = { hostname, port: 0, onListen: () => {} };
      const server = Deno.serve(options, (request) => {
        const { socket, response } = Deno.upgradeWebSocket(request);
        socket.onopen = () => current = socket;
        socket.onmessage = ({ data }) => hooks.received(Number(data));
        return response;
      });
      const send = (n: number): void => {
        if (current?.readyState === WebSocket.OPEN) current.send(String(n));
      };
      return Promise.resolve({ port: server.addr.port, send });
    },
    async join(port, hooks) {
      const party = await import("partysocket");
      const socket = new party.WebSocket(`ws://${hostname}:${port}/`, [], {
        minReconnectionDelay: REDIAL_MS,
        maxReconnectionDelay: REDIAL_MS,
        reconnectionDelayGrowFactor: 1,
      });
      socket.onmessage = ({ data }) => hooks.received(Number(data));
      await new Promise<void>((resolve) => socket.onopen = () => resolve());
      socket.onclose = () => hooks.lost();
      socket.onopen = () => hooks.back(false);
      return { port, send: (n) => void socket.send(String(n)) };
    },
  };
}

/** A peer by its name. */
export function talkSide(name: string): TalkSide {
  switch (name) {
    case "socketio":
      return socketIoSide();
    case "partysocket":
      return partySocketSide();
    default:
      return oursSide();
  }
}
