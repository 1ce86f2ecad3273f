/** The handshakes of a server: each ties a new transport to a session, or ends it. */
import type { Conn } from "./_conn.ts";
import { withDeadline } from "./_deadline.ts";
import { addressText } from "./_deno.ts";
import { HandshakeIo } from "./_handshake_io.ts";
import {
  decoyKeys,
  grantResume,
  type Opening,
  provesSession,
  readOpening,
  refuse,
  refuseProven,
  welcome,
} from "./_handshake_server.ts";
import { randomBytes } from "./_keys.ts";
import type { StreamSettings } from "./_options.ts";
import { closeQuietly } from "./_pipe.ts";
import {
  type Bytes,
  type NewRecord,
  REFUSAL,
  type ResumeRecord,
} from "./_records.ts";
import type { Session, Sessions } from "./_sessions.ts";
import { StreamCore } from "./_stream_core.ts";
import type { AcceptOptions } from "./accept_options.ts";
import type { ResumeServerEvent } from "./events.ts";
import type { Transport } from "./transport.ts";

/** What handshakes need of their server. */
export interface IncomingContext {
  readonly sessions: Sessions;
  readonly settings: StreamSettings;
  readonly ttlMs: number;
  readonly sessionsMax: number;
  readonly presharedKey: AcceptOptions["presharedKey"];
  /** Aborted when the server stops. */
  readonly stopped: AbortSignal;
  emit(event: ResumeServerEvent): void;
  /** A client opened a session. */
  opened(conn: Conn): void;
}

const BUSY_RETRY_MS = 1_000;

/** See the module's comment; bounded in number, each bounded in time. */
export class Incoming {
  readonly #context: IncomingContext;
  readonly #max: number;
  readonly #running = new Set<Promise<void>>();

  constructor(context: IncomingContext, max: number) {
    this.#context = context;
    this.#max = max;
  }

  /** Resolves when none is under way. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  /** Begins the handshake of a new transport, or turns it away. */
  start(transport: Transport): void {
    if (this.#running.size >= this.#max) {
      this.#refused("too many handshakes under way", transport);
      return closeQuietly(transport);
    }
    const handshake = this.#handshake(transport).catch((error) => {
      closeQuietly(transport);
      this.#refused(
        error instanceof Error ? error.message : String(error),
        transport,
      );
    });
    this.#running.add(handshake);
    void handshake.finally(() => this.#running.delete(handshake));
  }

  #refused(reason: string, transport: Transport): void {
    const remote = addressText(transport.remoteAddr);
    this.#context.emit({ type: "handshake-refused", reason, remote });
  }

  #handshake(transport: Transport): Promise<void> {
    const io = new HandshakeIo(transport);
    return withDeadline(
      transport,
      this.#context.settings.handshakeTimeoutMs,
      this.#context.stopped,
      async () => {
        const opening = await readOpening(io);
        if (opening === "version") {
          await refuse(io, REFUSAL.version);
          throw new Error("no protocol version in common");
        }
        if (opening.record.kind === "new") {
          await this.#open(io, opening as Opening<NewRecord>);
        } else {
          await this.#resume(io, opening as Opening<ResumeRecord>);
        }
      },
    );
  }

  async #open(io: HandshakeIo, opening: Opening<NewRecord>): Promise<void> {
    if (this.#context.sessions.size >= this.#context.sessionsMax) {
      await refuse(io, REFUSAL.busy, BUSY_RETRY_MS);
      throw new Error("too many sessions");
    }
    const { keyId, limit } = opening.record;
    const core = new StreamCore(this.#context.settings);
    const told = core.position;
    const sid = randomBytes(16);
    const keys = await welcome(io, opening, {
      sid,
      limit: told.limit,
      ttlMs: this.#context.ttlMs,
      presharedKey: await this.#presharedKey(keyId),
    });
    this.#context.stopped.throwIfAborted();
    const { transport, rest } = io;
    const attachment = { transport, peer: { received: 0, limit }, told, rest };
    const conn = this.#context.sessions.open(
      sid,
      keys,
      keyId,
      core,
      attachment,
    );
    const remote = addressText(transport.remoteAddr);
    this.#context.emit({ type: "session-opened", sid: conn.sid, remote });
    this.#context.opened(conn);
  }

  async #presharedKey(keyId: Bytes): Promise<Bytes | undefined> {
    const find = this.#context.presharedKey;
    if (find === undefined) return undefined;
    // An unknown name gets a key that nobody has: the proof fails as it does
    // for a wrong key, and tells nothing about which names exist.
    return await find(keyId) ?? randomBytes(32);
  }

  async #resume(
    io: HandshakeIo,
    opening: Opening<ResumeRecord>,
  ): Promise<void> {
    const { record } = opening;
    const sid = record.sid.toHex();
    const session = this.#context.sessions.find(sid);
    const stone = this.#context.sessions.tombstones.find(
      sid,
      performance.now(),
    );
    const keys = (session ?? stone)?.keys ?? await decoyKeys();
    const proven = await provesSession(opening, keys);
    if (!proven || (session === undefined && stone === undefined)) {
      await refuse(io, REFUSAL.unknown);
      throw new Error("unknown session or bad proof");
    }
    if (session === undefined) {
      const { received } = stone!;
      await refuseProven(io, opening, keys, REFUSAL.gone, received);
      throw new Error(`session ${sid} has ended`);
    }
    if (record.epoch <= session.epoch) {
      await refuseProven(io, opening, keys, REFUSAL.stale, session.epoch);
      throw new Error(`epoch ${record.epoch} of session ${sid} is used`);
    }
    await this.#takeOver(io, opening, session);
  }

  // The order is the point: the epoch is taken, then the old transport is
  // fenced, and only then is it read how far this end received. Otherwise bytes
  // that the old one still brings would be counted and sent again.
  async #takeOver(
    io: HandshakeIo,
    opening: Opening<ResumeRecord>,
    session: Session,
  ): Promise<void> {
    const { record } = opening;
    session.epoch = record.epoch;
    session.conn.fence("replaced");
    const told = session.conn.core.position;
    await grantResume(io, opening, session.keys, told, this.#context.ttlMs);
    this.#context.stopped.throwIfAborted();
    if (session.epoch !== record.epoch) {
      throw new Error("a newer transport won");
    }
    const { transport, rest } = io;
    const peer = { received: record.received, limit: record.limit };
    this.#context.sessions.attach(session, { transport, peer, told, rest });
    const remote = addressText(transport.remoteAddr);
    const { sid } = session.conn;
    this.#context.emit({ type: "session-resumed", sid, remote });
  }
}
