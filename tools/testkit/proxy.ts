/**
 * A real TCP proxy that can be told to break its connections: what a NAT that
 * forgets, a router that reboots or a cable does to a program.
 *
 * @module
 */
import net from "node:net";

/** Which side learns at once that the connection is gone. */
export type CutSide = "both" | "client" | "neither" | "server";

/** Options for {@linkcode CutProxy.start}. */
export interface CutProxyOptions {
  /** Where to listen; 0 for any port. */
  readonly port?: number | undefined;
  /** How long each direction holds bytes back, in milliseconds. */
  readonly delayMs?: number | undefined;
  /** Connect onward from the address that the client came from. */
  readonly keepSource?: boolean | undefined;
}

interface Pair {
  readonly client: net.Socket;
  readonly server: net.Socket;
}

/** See the module's comment. */
export class CutProxy implements AsyncDisposable {
  readonly #server: net.Server;
  readonly #pairs = new Set<Pair>();
  readonly #options: CutProxyOptions;
  #upstream: { hostname: string; port: number } | undefined;
  /** How many connections it carried. */
  connections = 0;
  /** How many it broke. */
  cuts = 0;
  /** How many payload bytes went through, both directions together. */
  bytes = 0;
  /** How many bytes from clients are held back now: those a cut would destroy. */
  heldUp = 0;

  private constructor(options: CutProxyOptions) {
    this.#options = options;
    // Each direction ends by itself, after what was held back: otherwise the end
    // of one would close both at once, and cut off the last bytes of the other.
    this.#server = net.createServer(
      { allowHalfOpen: true },
      (client) => this.#carry(client),
    );
  }

  /** Listens on 127.0.0.1. */
  static async start(options: CutProxyOptions = {}): Promise<CutProxy> {
    const proxy = new CutProxy(options);
    await new Promise<void>((resolve, reject) => {
      proxy.#server.once("error", reject);
      proxy.#server.listen(options.port ?? 0, "127.0.0.1", resolve);
    });
    return proxy;
  }

  /** The port it listens on. */
  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** How many connections it carries now. */
  get open(): number {
    return this.#pairs.size;
  }

  /** Where connections go from now on; without it they are reset. */
  forward(hostname: string, port: number): void {
    this.#upstream = { hostname, port };
  }

  /** Resets what comes from now on, until it is told where to forward again. */
  refuse(): void {
    this.#upstream = undefined;
  }

  #carry(client: net.Socket): void {
    if (this.#upstream === undefined) return client.resetAndDestroy() as never;
    const { hostname, port } = this.#upstream;
    const from = this.#options.keepSource ? client.remoteAddress : undefined;
    const server = net.connect({
      host: hostname,
      port,
      allowHalfOpen: true,
      ...(from === undefined ? {} : { localAddress: from }),
    });
    const pair: Pair = { client, server };
    this.#pairs.add(pair);
    this.connections++;
    client.setNoDelay(true);
    server.setNoDelay(true);
    this.#pipe(client, server, (bytes) => this.heldUp += bytes);
    this.#pipe(server, client, () => {});
    for (const socket of [client, server]) {
      // Errors show as "close"; nobody else must hear of them.
      socket.on("error", () => {});
      socket.on("close", (hadError) => this.#closed(pair, hadError));
    }
  }

  #pipe(
    from: net.Socket,
    to: net.Socket,
    held: (bytes: number) => void,
  ): void {
    const { delayMs = 0 } = this.#options;
    // What was held back may still come when it is full already.
    let full = false;
    from.on("data", (data) => {
      this.bytes += data.length;
      held(data.length);
      const pass = (): void => {
        held(-data.length);
        if (to.destroyed) return;
        if (to.write(data) || full) return;
        full = true;
        from.pause();
        to.once("drain", () => {
          full = false;
          from.resume();
        });
      };
      this.#after(delayMs, pass);
    });
    from.on("end", () => this.#after(delayMs, () => to.end()));
  }

  #after(ms: number, run: () => void): void {
    if (ms === 0) return run();
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
  }

  // Without an error both of its directions have ended, and the other end hears
  // of it after what is held back.
  #closed(pair: Pair, hadError: boolean): void {
    const both = pair.client.destroyed && pair.server.destroyed;
    if (!hadError && !both) return;
    if (!this.#pairs.delete(pair)) return;
    pair.client.destroy();
    pair.server.destroy();
  }

  /**
   * Resets every connection. With a side named, only that one hears of it; the
   * other end is left hanging in silence until the proxy closes.
   */
  cut(side: CutSide = "both"): number {
    const count = this.#pairs.size;
    for (const pair of [...this.#pairs]) {
      this.#pairs.delete(pair);
      this.cuts++;
      for (const [name, socket] of Object.entries(pair)) {
        socket.removeAllListeners("data");
        socket.removeAllListeners("close");
        socket.pause();
        if (side === "both" || side === name) socket.resetAndDestroy();
        else this.#silent.add(socket);
      }
    }
    return count;
  }

  readonly #silent = new Set<net.Socket>();
  readonly #timers = new Set<ReturnType<typeof setTimeout>>();

  /** Stops, and resets what is left. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    for (const socket of this.#silent) socket.destroy();
    for (const timer of this.#timers) clearTimeout(timer);
    this.heldUp = 0;
    await new Promise<void>((resolve) => this.#server.close(() => resolve()));
  }
}
