/**
 * A relay in front of a real listener that breaks each connection at a byte
 * that was chosen before: the position decides which message is torn.
 */
import net from "node:net";

/** Where something listens: a TCP port of 127.0.0.1, or a Unix path. */
export type Place = { readonly port: number } | { readonly path: string };

/** How one connection ends. */
export interface Cut {
  /** How many bytes pass, both directions together. */
  readonly afterBytes: number;
  /** Who hears of it at once; the others are left with silence. */
  readonly side: "both" | "client" | "server" | "neither";
  /** Whether what passed is delivered first; a reset destroys what is unread. */
  readonly gentle: boolean;
}

interface Pair {
  readonly client: net.Socket;
  readonly server: net.Socket;
  readonly cut: Cut | undefined;
  passed: number;
}

/** See the module's comment. */
export class CutRelay implements AsyncDisposable {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  readonly #pairs = new Set<Pair>();
  #upstream: Place | undefined;
  /** How many connections it broke. */
  cuts = 0;
  /** How many it carried. */
  connections = 0;
  /** How many bytes went through. */
  bytes = 0;

  private constructor(plan: () => Cut | undefined) {
    this.#server = net.createServer(
      { allowHalfOpen: true, noDelay: true },
      (client) => this.#carry(client, plan()),
    );
  }

  /** Listens on a Unix path, or on a free port of 127.0.0.1. */
  static async start(
    plan: () => Cut | undefined,
    path?: string,
  ): Promise<CutRelay> {
    const relay = new CutRelay(plan);
    await new Promise<void>((resolve, reject) => {
      relay.#server.once("error", reject);
      relay.#server.listen(
        path === undefined ? { port: 0, host: "127.0.0.1" } : { path },
        resolve,
      );
    });
    return relay;
  }

  /** Where it listens. */
  get place(): Place {
    const address = this.#server.address();
    return typeof address === "string"
      ? { path: address }
      : { port: address!.port };
  }

  /** Where connections go from now on. */
  forward(place: Place): void {
    this.#upstream = place;
  }

  #carry(client: net.Socket, cut: Cut | undefined): void {
    const to = this.#upstream!;
    this.connections++;
    const server = net.connect({
      ...("port" in to ? { ...to, host: "127.0.0.1", noDelay: true } : to),
      allowHalfOpen: true,
    });
    const pair: Pair = { client, server, cut, passed: 0 };
    this.#pairs.add(pair);
    this.#pipe(pair, client, server);
    this.#pipe(pair, server, client);
  }

  #pipe(pair: Pair, from: net.Socket, to: net.Socket): void {
    this.#sockets.add(from);
    from.on("error", () => {}); // "close" tells it too
    from.on("close", (failed) => {
      this.#sockets.delete(from);
      if (!this.#pairs.has(pair)) return;
      if (failed) to.destroy();
      else to.end();
    });
    from.on("end", () => to.end());
    from.on("data", (data: Uint8Array) => {
      const { cut } = pair;
      const left = cut === undefined
        ? data.length
        : Math.min(data.length, cut.afterBytes - pair.passed);
      pair.passed += left;
      this.bytes += left;
      if (!to.destroyed && !to.write(data.subarray(0, left))) {
        from.pause();
        to.once("drain", () => from.resume());
      }
      if (cut !== undefined && pair.passed >= cut.afterBytes) {
        this.#break(pair, cut);
      }
    });
  }

  #break(pair: Pair, cut: Cut): void {
    if (!this.#pairs.delete(pair)) return;
    this.cuts++;
    for (const side of ["client", "server"] as const) {
      const socket = pair[side];
      for (const name of ["data", "end", "drain"]) {
        socket.removeAllListeners(name);
      }
      socket.pause();
      if (cut.side !== "both" && cut.side !== side) continue;
      if (cut.gentle) socket.end();
      else if ("path" in this.place) socket.destroy();
      else socket.resetAndDestroy();
    }
  }

  /** Breaks what is open now. */
  cut(side: Cut["side"] = "both", gentle = false): void {
    for (const pair of [...this.#pairs]) {
      this.#break(pair, { afterBytes: 0, side, gentle });
    }
  }

  /** Stops, with everything that it left hanging. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#pairs.clear();
    const closed = new Promise<void>((resolve) =>
      this.#server.close(() => resolve())
    );
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}
