/** What several tests of this package share. */
import { CutProxy, type CutProxyOptions } from "@holdfast/testkit/proxy";
import {
  type AcceptOptions,
  acceptResumable,
  type ConnectOptions,
  connectResumable,
  type ResumableConn,
  type ResumeServer,
} from "../mod.ts";

/** Two ends with a breakable proxy between them. */
export interface Pair extends AsyncDisposable {
  readonly proxy: CutProxy;
  readonly server: ResumeServer;
  readonly listener: Deno.TcpListener;
  readonly client: ResumableConn;
  readonly accepted: ResumableConn;
  /** What became of the client's transports, in order. */
  readonly order: readonly ("connected" | "detached")[];
}

/** Connects through a proxy on loopback. */
export async function openPair(
  options: {
    readonly accept?: AcceptOptions;
    readonly connect?: ConnectOptions;
    readonly proxy?: CutProxyOptions;
  } = {},
): Promise<Pair> {
  const order: ("connected" | "detached")[] = [];
  const proxy = await CutProxy.start(options.proxy);
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  proxy.forward("127.0.0.1", listener.addr.port);
  const server = acceptResumable(listener, options.accept);
  const client = await connectResumable(
    async () => {
      const conn = await Deno.connect({
        hostname: "127.0.0.1",
        port: proxy.port,
      });
      order.push("connected");
      return conn;
    },
    { redialMaxMs: 100, ...options.connect },
  );
  client.on("detached", () => order.push("detached"));
  const accepted = await server.accept();
  return {
    proxy,
    server,
    listener,
    client,
    accepted,
    order,
    async [Symbol.asyncDispose]() {
      client.abort();
      await server.close();
      await proxy[Symbol.asyncDispose]();
    },
  };
}

/** The byte that stands at an offset of a test stream. */
export function patternAt(seed: number, offset: number): number {
  return (offset * 31 + (offset >>> 8) * 7 + (offset >>> 16) + seed) & 0xff;
}

/** Writes the pattern up to `end`, in pieces of changing size. */
export async function writePattern(
  conn: Pick<Deno.Conn, "write">,
  seed: number,
  from: number,
  end: number,
): Promise<void> {
  const sizes = [64 * 1024, 1, 777, 200_000, 12];
  for (let at = from, i = 0; at < end; i++) {
    const size = Math.min(sizes[i % sizes.length]!, end - at);
    const bytes = new Uint8Array(size);
    for (let k = 0; k < size; k++) bytes[k] = patternAt(seed, at + k);
    for (let done = 0; done < size;) {
      done += await conn.write(bytes.subarray(done));
    }
    at += size;
  }
}

/** Reads up to `end` and fails at the first byte that is not the pattern's. */
export async function readPattern(
  conn: Pick<Deno.Conn, "read">,
  seed: number,
  from: number,
  end: number,
): Promise<void> {
  const into = new Uint8Array(64 * 1024);
  for (let at = from; at < end;) {
    const n = await conn.read(
      into.subarray(0, Math.min(into.length, end - at)),
    );
    if (n === null) throw new Error(`The stream ended at ${at}, before ${end}`);
    for (let i = 0; i < n; i++) {
      if (into[i] !== patternAt(seed, at + i)) {
        throw new Error(`Wrong byte at ${at + i}`);
      }
    }
    at += n;
  }
}
