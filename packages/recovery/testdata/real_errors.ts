/** What makes real errors, each by the thing itself. */
import dgram from "node:dgram";
import net from "node:net";

export const HOST = "127.0.0.1";

/** The error of something that must fail. */
export async function errorOf(run: () => unknown): Promise<unknown> {
  try {
    await run();
  } catch (error) {
    return error;
  }
  throw new Error("It did not fail");
}

/** A port where nobody listens. */
export function deadPort(): number {
  using listener = Deno.listen({ hostname: HOST, port: 0 });
  return listener.addr.port;
}

export function nodeError(options: net.NetConnectOpts): Promise<unknown> {
  return errorOf(() =>
    new Promise((_, reject) => {
      const socket = net.connect(options);
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("closed without error")));
    })
  );
}

/** Serves each connection once by a node socket, which can send a reset. */
export async function withServer<R>(
  serve: (socket: net.Socket) => void,
  run: (port: number) => Promise<R>,
): Promise<R> {
  const sockets: net.Socket[] = [];
  const server = net.createServer((socket) => {
    socket.on("error", () => {});
    sockets.push(socket);
    serve(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, HOST, resolve));
  try {
    return await run((server.address() as net.AddressInfo).port);
  } finally {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  }
}

export const reset = (socket: net.Socket): unknown =>
  setTimeout(() => socket.resetAndDestroy(), 20);
export const plain = (socket: net.Socket): void => {
  socket.resume();
  socket.end("hello, this is plain text\r\n\r\n");
};
export const silentEnd = (socket: net.Socket): void => {
  socket.once("data", () => socket.end());
};
export const truncated = (socket: net.Socket): void => {
  socket.once("data", () => {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
    setTimeout(() => socket.destroy(), 20);
  });
};

/** Fetches with a client of its own, so that no pooled connection stays. */
export async function fetchText(url: string): Promise<string> {
  using client = Deno.createHttpClient({});
  return await (await fetch(url, { client })).text();
}

export async function connected(
  port: number,
  use: (conn: Deno.TcpConn) => Promise<unknown>,
): Promise<unknown> {
  using conn = await Deno.connect({ hostname: HOST, port });
  return await use(conn);
}

export async function handshake(port: number): Promise<unknown> {
  using conn = await Deno.connectTls({ hostname: HOST, port });
  return await conn.handshake();
}

/** A TLS server with a certificate of testdata/. */
export async function withTls<R>(
  cert: string,
  run: (port: number) => Promise<R>,
): Promise<R> {
  const read = (name: string) =>
    Deno.readTextFile(new URL(`./${name}`, import.meta.url));
  const listener = Deno.listenTls({
    ...{ hostname: HOST, port: 0 },
    ...{ cert: await read(cert), key: await read("key.pem") },
  });
  const serving = (async () => {
    for (;;) {
      const conn = await listener.accept().catch(() => undefined);
      if (conn === undefined) return;
      await conn.handshake().catch(() => {});
      conn.close();
    }
  })();
  try {
    return await run(listener.addr.port);
  } finally {
    listener.close();
    await serving;
  }
}

export function socketError(url: string): Promise<never> {
  return new Promise((_, reject) => {
    const socket = new WebSocket(url);
    socket.onerror = (event) => reject((event as ErrorEvent).error);
  });
}

export function sendDatagram(bytes: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = dgram.createSocket("udp4");
    socket.bind(
      0,
      () =>
        socket.send(
          bytes,
          9,
          HOST,
          (error) => socket.close(() => error ? reject(error) : resolve()),
        ),
    );
  });
}

export const byte = (): Uint8Array => new Uint8Array(1);
