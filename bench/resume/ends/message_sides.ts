/** WebSocket, socket.io and partysocket behind one interface. */
import type { AddressInfo } from "node:net";
import type { Socket as ClientSocket } from "socket.io-client";
import type { Socket as ServerSocket } from "socket.io";

/** A connection that carries messages. */
export interface MessageConn {
  send(message: Uint8Array<ArrayBuffer>): void;
  /** Tells how many bytes each message has. */
  listen(onMessage: (bytes: number) => void): void;
  close(): void;
}

/** Where connections come from. */
export interface MessageListener {
  readonly port: number;
  accept(): Promise<MessageConn>;
}

/** How a peer listens and connects. */
export interface MessageSide {
  listen(): Promise<MessageListener>;
  connect(port: number): Promise<MessageConn>;
}

/** What was made before it was asked for, or is waited for. */
class Queue<T> {
  readonly #items: T[] = [];
  readonly #waiting: ((item: T) => void)[] = [];

  put(item: T): void {
    const waiter = this.#waiting.shift();
    if (waiter === undefined) this.#items.push(item);
    else waiter(item);
  }

  readonly take = (): Promise<T> => {
    const item = this.#items.shift();
    if (item !== undefined) return Promise.resolve(item);
    return new Promise((resolve) => this.#waiting.push(resolve));
  };
}

/** As much of a WebSocket as partysocket's has too. */
interface SocketLike {
  binaryType: string;
  onopen: unknown;
  onmessage: unknown;
  send(message: Uint8Array<ArrayBuffer>): void;
  close(): void;
}

function ofWebSocket(socket: SocketLike): Promise<MessageConn> {
  socket.binaryType = "arraybuffer";
  // What comes before somebody listens is kept.
  const early: number[] = [];
  let heard = (bytes: number): void => void early.push(bytes);
  socket.onmessage = ({ data }: MessageEvent<ArrayBuffer>) =>
    heard(data.byteLength);
  const conn: MessageConn = {
    send: (message) => socket.send(message),
    listen(onMessage) {
      heard = onMessage;
      for (const bytes of early.splice(0)) onMessage(bytes);
    },
    close: () => socket.close(),
  };
  return new Promise((resolve) => socket.onopen = () => resolve(conn));
}

function listenWebSocket(): Promise<MessageListener> {
  const queue = new Queue<MessageConn>();
  const options = { hostname: "127.0.0.1", port: 0, onListen: () => {} };
  const server = Deno.serve(options, (request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    void ofWebSocket(socket).then((conn) => queue.put(conn));
    return response;
  });
  return Promise.resolve({ port: server.addr.port, accept: queue.take });
}

function webSocket(): MessageSide {
  return {
    listen: listenWebSocket,
    connect: (port) => ofWebSocket(new WebSocket(`ws://127.0.0.1:${port}/`)),
  };
}

async function partySocket(): Promise<MessageSide> {
  const party = await import("partysocket");
  return {
    listen: listenWebSocket,
    connect: (port) =>
      ofWebSocket(new party.WebSocket(`ws://127.0.0.1:${port}/`)),
  };
}

function ofSocketIo(socket: ServerSocket | ClientSocket): MessageConn {
  return {
    send: (message) => void socket.emit("m", message),
    listen: (onMessage) =>
      void socket.on("m", (data: Uint8Array) => onMessage(data.byteLength)),
    close: () => void socket.disconnect(),
  };
}

async function socketIo(): Promise<MessageSide> {
  const { Server } = await import("socket.io");
  const { io } = await import("socket.io-client");
  const http = await import("node:http");
  return {
    async listen() {
      const server = http.createServer();
      const queue = new Queue<MessageConn>();
      const sockets = new Server(server, {
        connectionStateRecovery: {},
        transports: ["websocket"],
      });
      sockets.on("connection", (socket) => queue.put(ofSocketIo(socket)));
      await new Promise<void>((resolve) =>
        server.listen(0, "127.0.0.1", () => resolve())
      );
      const { port } = server.address() as AddressInfo;
      return { port, accept: queue.take };
    },
    async connect(port) {
      const options = { transports: ["websocket"], forceNew: true };
      const socket = io(`http://127.0.0.1:${port}`, options);
      await new Promise<void>((resolve) => socket.on("connect", resolve));
      return ofSocketIo(socket);
    },
  };
}

/** A peer by its name. */
export function messageSide(name: string): MessageSide | Promise<MessageSide> {
  switch (name) {
    case "socketio":
      return socketIo();
    case "partysocket":
      return partySocket();
    default:
      return webSocket();
  }
}
