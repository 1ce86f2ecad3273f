/** The peers that carry bytes: ours, plain TCP and TLS, behind one interface. */
import {
  acceptResumable,
  connectResumable,
  type StreamOptions,
  type TransportSource,
} from "@holdfast/resume";

/** A connection, as far as the benchmark uses it. */
export interface ByteConn {
  read(into: Uint8Array): Promise<number | null>;
  write(bytes: Uint8Array): Promise<number>;
  close(): void;
}

/** Where connections come from. */
export interface ByteListener {
  readonly port: number;
  accept(): Promise<ByteConn>;
}

/** How a peer listens and connects; `noDelay` sets TCP_NODELAY on each end. */
export interface ByteSide {
  listen(noDelay: boolean): ByteListener;
  connect(port: number, noDelay: boolean): Promise<ByteConn>;
}

const hostname = "127.0.0.1";

async function connectTcp(
  port: number,
  noDelay: boolean,
): Promise<Deno.TcpConn> {
  const conn = await Deno.connect({ hostname, port });
  if (noDelay) conn.setNoDelay(true);
  return conn;
}

function listenTcp(noDelay: boolean): TransportSource & ByteListener {
  const listener = Deno.listen({ hostname, port: 0 });
  return {
    addr: listener.addr,
    port: listener.addr.port,
    close: () => listener.close(),
    async accept() {
      const conn = await listener.accept();
      if (noDelay) conn.setNoDelay(true);
      return conn;
    },
  };
}

/** Ours over TCP, for the sides below and for tasks of its own alone. */
export function ours(options: StreamOptions): ByteSide {
  return {
    listen(noDelay) {
      const source = listenTcp(noDelay);
      const server = acceptResumable(source, options);
      return { port: source.port, accept: () => server.accept() };
    },
    connect: (port, noDelay) =>
      connectResumable(() => connectTcp(port, noDelay), options),
  };
}

function tls(): ByteSide {
  const read = (name: string): string =>
    Deno.readTextFileSync(
      new URL(
        `../../../packages/recovery/testdata/${name}.pem`,
        import.meta.url,
      ),
    );
  const cert = read("cert");
  return {
    listen() {
      const key = read("key");
      const listener = Deno.listenTls({ hostname, port: 0, cert, key });
      return { port: listener.addr.port, accept: () => listener.accept() };
    },
    connect: (port) => Deno.connectTls({ hostname, port, caCerts: [cert] }),
  };
}

const LARGE = 4 * 1024 * 1024;

/** A peer by its name. */
export function byteSide(name: string): ByteSide {
  switch (name) {
    case "ours":
      return ours({});
    case "ours_4m":
      return ours({ sendBufferBytes: LARGE, receiveWindowBytes: LARGE });
    case "tls":
      return tls();
    default:
      return { listen: listenTcp, connect: connectTcp };
  }
}
