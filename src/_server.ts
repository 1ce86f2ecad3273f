import { type Emitter, EventReader, relay } from "@holdfast/events/emitter";
import type { Upgrader } from "@holdfast/handoff";
import {
  acceptResumable,
  type ResumableConn,
  type ResumeServer,
} from "@holdfast/resume";
import type { Crossroads } from "./_crossroads.ts";
import { Limit } from "./_limit.ts";
import { encodeServerState, type ServerSnapshot } from "./_server_state.ts";
import { PeerError } from "./errors.ts";
import type { Limitation } from "./peer_events.ts";
import type { PortLease } from "./peer_options.ts";
import type { ServeHandler, ServeOptions } from "./serve_options.ts";
import type { Server, ServerStats } from "./server.ts";
import type { ServerEvent } from "./server_events.ts";
import { upgradeArguments } from "./_upgrade_command.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What a server is made of. */
export interface ServerParts {
  readonly options: ServeOptions;
  readonly handler: ServeHandler;
  readonly source: Crossroads;
  readonly upgrader: Upgrader | undefined;
  readonly lease: PortLease | undefined;
  readonly limited: readonly Limitation[];
  readonly restored: ServerSnapshot | undefined;
  readonly emitter: Emitter<ServerEvent>;
}

// Handlers see their streams suspended and return; one that does not loses
// what it would have kept.
const HANDLERS_MS = 5_000;
const NOBODY: ReadonlyMap<string, Bytes> = new Map();

/** The shell of {@linkcode Server}. */
export class ServerHandle extends EventReader<ServerEvent> implements Server {
  readonly #parts: ServerParts;
  readonly #emitter: Emitter<ServerEvent>;
  readonly #running = new Map<Promise<void>, ResumableConn>();
  readonly #keeps = new Map<string, () => Bytes>();
  readonly #finished = Promise.withResolvers<void>();
  readonly #counters = { accepted: 0, restored: 0, failed: 0 };
  #server: ResumeServer;
  #serving: Promise<void>;
  #closed: Promise<void> | undefined;
  #suspended = false;

  constructor(parts: ServerParts) {
    super(parts.emitter);
    this.#emitter = parts.emitter;
    this.#parts = parts;
    const { restored, lease, options } = parts;
    [this.#server, this.#serving] = this.#start(restored);
    lease?.on?.("*", (event) => {
      this.#emitter.emit({ type: "firewall", event });
    });
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  readonly #onAbort = (): void => void this.close();

  get addr(): Deno.Addr | undefined {
    return this.#parts.source.addr;
  }

  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  get state(): Server["state"] {
    return {
      connections: [...this.#running.values()],
      limited: [...this.#parts.limited],
    };
  }

  stats(): ServerStats {
    return { open: this.#running.size, ...this.#counters };
  }

  #start(restored: ServerSnapshot | undefined): [ResumeServer, Promise<void>] {
    const { options, source } = this.#parts;
    // Its end is told by `close`, which also gives the port back.
    const server = acceptResumable(source, {
      ...options,
      signal: undefined,
      restore: restored?.sessions,
    });
    relay(server, this.#emitter, {
      map: (event) => ({ type: "session", event }),
    });
    return [server, this.#serve(server, restored?.kept ?? NOBODY)];
  }

  async #serve(
    server: ResumeServer,
    kept: ReadonlyMap<string, Bytes>,
  ): Promise<void> {
    for await (const conn of server) {
      this.#counters[conn.restored ? "restored" : "accepted"]++;
      const { sid } = conn;
      relay(conn, this.#emitter, {
        map: (event) => ({ type: "connection", sid, event }),
      });
      const running = this.#handle(conn, kept.get(sid));
      this.#running.set(running, conn);
      void running.then(() => this.#running.delete(running));
    }
  }

  async #handle(conn: ResumableConn, kept: Bytes | undefined): Promise<void> {
    const { sid } = conn;
    try {
      await this.#parts.handler(conn, {
        kept,
        keep: (state) => void this.#keeps.set(sid, state),
      });
      if (conn.state.name === "suspended") return;
      await conn[Symbol.asyncDispose]();
    } catch (error) {
      if (conn.state.name === "suspended") return;
      this.#counters.failed++;
      const reason = (error as Error).message ?? String(error);
      this.#emitter.emit({ type: "handler-failed", sid, reason });
      conn.abort();
    }
    if (!this.#suspended) this.#keeps.delete(sid);
  }

  async upgrade(): Promise<void> {
    try {
      await this.#upgrade();
    } catch (error) {
      const reason = (error as Error).message;
      this.#emitter.emit({ type: "upgrade-failed", reason });
      throw error;
    }
    await this.close();
  }

  async #upgrade(): Promise<void> {
    const { upgrader, options } = this.#parts;
    if (upgrader === undefined) {
      throw new PeerError(
        "peer/no-upgrade",
        "Cannot replace this process: the server was not made for it: use the option upgrade",
      );
    }
    const asked = typeof options.upgrade === "object" ? options.upgrade : {};
    let snapshot: ServerSnapshot | undefined;
    await upgrader.upgrade({
      ...upgradeArguments(asked),
      ...(asked.timeoutMs === undefined ? {} : { timeoutMs: asked.timeoutMs }),
      state: async () => {
        snapshot = await this.#suspend();
        return encodeServerState(snapshot);
      },
      thaw: async () => {
        // The sessions go on here, with new connections for new handlers.
        await this.#server.close();
        this.#suspended = false;
        [this.#server, this.#serving] = this.#start(snapshot);
      },
    });
  }

  async #suspend(): Promise<ServerSnapshot> {
    this.#suspended = true;
    const sessions = await this.#server.suspend();
    this.#parts.source.leave();
    await this.#serving;
    await this.#settled(HANDLERS_MS);
    const kept = new Map<string, Bytes>();
    for (const [sid, state] of this.#keeps) kept.set(sid, state());
    this.#keeps.clear();
    return { sessions, kept };
  }

  async #settled(ms: number): Promise<void> {
    using limit = new Limit(ms);
    const late = new Promise<void>((resolve) =>
      limit.signal.addEventListener("abort", () => resolve(), { once: true })
    );
    await Promise.race([Promise.all(this.#running.keys()), late]);
  }

  async drain(withinMs: number = HANDLERS_MS): Promise<void> {
    this.#server.notify({ kind: "draining" });
    await this.#settled(withinMs);
    await this.close();
  }

  close(): Promise<void> {
    return this.#closed ??= this.#close();
  }

  async #close(): Promise<void> {
    const { options, upgrader, lease } = this.#parts;
    options.signal?.removeEventListener("abort", this.#onAbort);
    await this.#server.close();
    this.#parts.source.close();
    await this.#serving;
    await this.#settled(HANDLERS_MS);
    await upgrader?.close();
    await lease?.[Symbol.asyncDispose]();
    this.#emitter[Symbol.dispose]();
    this.#finished.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
