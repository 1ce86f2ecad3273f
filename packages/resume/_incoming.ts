/** The handshakes of a server: each ties a new transport to a session, or ends it. */
import type { Conn } from "./_conn.ts";
import { withDeadline } from "./_deadline.ts";
import { addressText, errorText } from "./_deno.ts";
import { EarlyTransport } from "./_early_transport.ts";
import { type HalfOpen, HalfOpenSessions } from "./_half_open.ts";
import { HandshakeIo } from "./_handshake_io.ts";
import {
  decoySecret,
  type Grant,
  grantResume,
  type NextProof,
  nextProof,
  type Opening,
  provenSecret,
  readOpening,
  refuse,
  refuseProven,
  welcome,
} from "./_handshake_server.ts";
import { randomBytes, type SessionSecret } from "./_keys.ts";
import { sayLast } from "./_last_word.ts";
import { resetFrame } from "./_notice.ts";
import { requireKey } from "./_options.ts";
import { type Attachment, closeQuietly } from "./_pipe.ts";
import {
  type Bytes,
  type NewRecord,
  NO_BYTES,
  REFUSAL,
  type ResumeRecord,
} from "./_records.ts";
import type { Journal } from "./_journal.ts";
import { Session } from "./_session.ts";
import type { Sessions } from "./_sessions.ts";
import { StreamCore } from "./_stream_core.ts";
import { RESET } from "./_wire.ts";
import { Turns } from "./_turns.ts";
import type { AcceptOptions } from "./accept_options.ts";
import type { StoredHead } from "./store.ts";
import type { ResumeServerEvent } from "./events.ts";
import type { SessionSnapshot } from "./snapshot.ts";
import type { Transport } from "./transport.ts";

/** What handshakes need of their server. */
export interface IncomingContext {
  readonly sessions: Sessions;
  readonly handshakeTimeoutMs: number;
  readonly ttlMs: number;
  readonly presharedKey: AcceptOptions["presharedKey"];
  readonly authorize: AcceptOptions["authorize"];
  readonly journal: Journal | undefined;
  /** Aborted when the server stops. */
  readonly stopped: AbortSignal;
  emit(event: ResumeServerEvent): void;
  /** A client opened a session. */
  opened(conn: Conn): void;
}

/** How many handshakes may be under way. */
export interface IncomingLimits {
  readonly handshakesMax: number;
  readonly handshakesPerAddressMax: number;
}

const NO_STREAM = { sendMax: 0, window: 0, heartbeatMs: 1 };
const BUSY_RETRY_MS = 1_000;
const CONFLICT_RETRY_MS = 20;

/** Where a session is that a client wants to resume. */
interface Found {
  readonly known?: Session;
  readonly half?: HalfOpen;
  readonly stored?: StoredHead;
  /** What the session had received when it ended. */
  readonly ended?: number | "denied" | undefined;
  readonly secrets: readonly SessionSecret[];
}

/** See the module's comment; bounded in number, each bounded in time. */
export class Incoming {
  readonly #context: IncomingContext;
  readonly #limits: IncomingLimits;
  readonly #running = new Set<Promise<void>>();
  readonly #perAddress = new Map<string, number>();
  // Of no session: an unknown id takes as long as a known one.
  readonly #halfOpen = new HalfOpenSessions();
  readonly #decoy = decoySecret();
  // A store takes its time: of several that resume a session one claims it
  // after the other, or the late answer of one would undo what another did.
  readonly #turns = new Turns();
  #opening = 0;

  constructor(context: IncomingContext, limits: IncomingLimits) {
    this.#context = context;
    this.#limits = limits;
  }

  /** Resolves when none is under way. */
  async settled(): Promise<void> {
    await Promise.all(this.#running);
  }

  /** Sessions whose clients may take them for open, for another process. */
  halfOpen(): SessionSnapshot[] {
    return this.#halfOpen.all(performance.now()).map((half) => ({
      ...half,
      nextSecret: NO_BYTES,
      epoch: 1,
      core: new StreamCore(NO_STREAM).export(),
      halfOpen: true,
    }));
  }

  /** Goes on with one of another process. */
  restoreHalfOpen({ sid, secret, keyId }: SessionSnapshot): void {
    this.#halfOpen.add(sid, secret, keyId, performance.now());
  }

  /** Begins the handshake of a new transport, or turns it away. */
  start(transport: Transport): void {
    const host = hostOf(transport);
    const ofHost = this.#perAddress.get(host) ?? 0;
    const { handshakesMax, handshakesPerAddressMax } = this.#limits;
    if (
      this.#running.size >= handshakesMax || ofHost >= handshakesPerAddressMax
    ) {
      this.#refused("too many handshakes under way", transport);
      return closeQuietly(transport);
    }
    this.#perAddress.set(host, ofHost + 1);
    const handshake = this.#handshake(transport).catch((error) => {
      const reason = error instanceof Error ? error.message : String(error);
      this.#refused(reason, transport);
    }).finally(() => {
      this.#running.delete(handshake);
      const left = this.#perAddress.get(host)! - 1;
      if (left > 0) this.#perAddress.set(host, left);
      else this.#perAddress.delete(host);
    });
    this.#running.add(handshake);
  }

  #refused(reason: string, transport: Transport): void {
    const remote = addressText(transport.remoteAddr);
    this.#context.emit({ type: "handshake-refused", reason, remote });
  }

  #handshake(transport: Transport): Promise<void> {
    const io = new HandshakeIo(transport);
    return withDeadline(
      transport,
      this.#context.handshakeTimeoutMs,
      this.#context.stopped,
      async (handOver) => {
        const opening = await readOpening(io);
        if (opening === "version") {
          await refuse(io, REFUSAL.version);
          throw new Error("no protocol version in common");
        }
        if (opening.record.kind === "new") {
          await this.#open(io, opening as Opening<NewRecord>, handOver);
        } else {
          await this.#resume(io, opening as Opening<ResumeRecord>, handOver);
        }
      },
    );
  }

  async #open(
    io: HandshakeIo,
    opening: Opening<NewRecord>,
    handOver: () => void,
  ): Promise<void> {
    this.#opening++;
    try {
      await this.#openCounted(io, opening, handOver);
    } finally {
      this.#opening--;
    }
  }

  async #openCounted(
    io: HandshakeIo,
    opening: Opening<NewRecord>,
    handOver: () => void,
  ): Promise<void> {
    const { sessions, ttlMs, stopped } = this.#context;
    const { keyId, limit } = opening.record;
    const full = sessions.full(keyId, this.#opening);
    if (full !== undefined) await this.#refuseBusy(io, full);
    const core = sessions.newCore();
    const told = core.position;
    const sid = randomBytes(16);
    const answer = await welcome(io, opening, {
      sid,
      limit: told.limit,
      ttlMs,
      presharedKey: await this.#presharedKey(keyId),
    });
    const { secret } = answer;
    // Before the client is told: it may be cut off then, and come back.
    this.#halfOpen.add(sid, secret, keyId, performance.now());
    await this.#context.journal?.create({ sid: sid.toHex(), secret, keyId });
    await answer.send();
    await answer.confirmed();
    const { transport, rest } = io;
    const allowed = await this.#authorized("open", sid, keyId, transport);
    // Asked again: many may have come this far together, and only now is it
    // certain whose key it is.
    const denied = allowed ? sessions.full(keyId, 1) : "not authorized";
    if (denied !== undefined) {
      await sayLast(transport, resetFrame(RESET.denied), undefined);
      throw new Error(denied);
    }
    stopped.throwIfAborted();
    // Not before: until it is open its client may come back to a successor.
    if (!this.#halfOpen.take(sid.toHex()) && this.#was(sid.toHex())) {
      throw new Error("a newer transport won");
    }
    const attachment = { transport, peer: { received: 0, limit }, told, rest };
    handOver();
    const conn = sessions.open({ sid, secret, keyId, core, attachment });
    const remote = addressText(transport.remoteAddr);
    this.#context.emit({ type: "session-opened", sid: conn.sid, remote });
    this.#context.opened(conn);
  }

  // Whether there is, or was, such a session: others may only have taken its
  // place among the half-open ones.
  #was(sid: string): boolean {
    const { sessions } = this.#context;
    return sessions.find(sid) !== undefined ||
      sessions.tombstones.find(sid, performance.now()) !== undefined;
  }

  async #presharedKey(keyId: Bytes): Promise<Bytes | undefined> {
    const find = this.#context.presharedKey;
    if (find === undefined && keyId.length === 0) return undefined;
    const key = await find?.(keyId);
    if (key !== undefined) requireKey(key);
    // An unknown name gets a key that nobody has: the proof fails as it does
    // for a wrong key, and tells nothing about which names exist.
    return key ?? randomBytes(32);
  }

  async #authorized(
    kind: "open" | "resume",
    sid: Bytes,
    keyId: Bytes,
    { remoteAddr }: Transport,
  ): Promise<boolean> {
    const { authorize } = this.#context;
    if (authorize === undefined) return true;
    return await authorize({ kind, sid: sid.toHex(), keyId, remoteAddr });
  }

  async #resume(
    io: HandshakeIo,
    opening: Opening<ResumeRecord>,
    handOver: () => void,
  ): Promise<void> {
    const { record } = opening;
    const sid = record.sid.toHex();
    const found = await this.#find(sid);
    const secret = await provenSecret(opening, found.secrets);
    if (secret === undefined || secret === this.#decoy) {
      await refuse(io, REFUSAL.unknown);
      throw new Error("unknown session or bad proof");
    }
    const { known, half, stored, ended } = found;
    if (ended === "denied") {
      await refuseProven(io, opening, secret, REFUSAL.denied, 0);
      throw new Error(`session ${sid} was revoked`);
    }
    if (ended !== undefined) {
      await refuseProven(io, opening, secret, REFUSAL.gone, ended);
      throw new Error(`session ${sid} has ended`);
    }
    const session = half === undefined
      ? known
      : await this.#openHalf(io, opening, half, secret);
    const { keyId, epoch } = session === undefined
      ? stored!
      : { keyId: session.conn.keyId, epoch: session.epoch };
    if (!await this.#authorized("resume", record.sid, keyId, io.transport)) {
      await refuseProven(io, opening, secret, REFUSAL.denied, 0);
      throw new Error(`session ${sid} is not authorized any more`);
    }
    if (record.epoch <= epoch) {
      await refuseProven(io, opening, secret, REFUSAL.stale, epoch);
      throw new Error(`epoch ${record.epoch} of session ${sid} is used`);
    }
    await this.#takeOver(io, opening, session ?? stored!, secret, handOver);
  }

  // Where the session is, and what may prove it: always two secrets, of which
  // those that do not exist are nobody's.
  async #find(sid: string): Promise<Found> {
    const now = performance.now();
    const decoy = this.#decoy;
    const { sessions, journal } = this.#context;
    const known = sessions.find(sid);
    if (known !== undefined) {
      return { known, secrets: [known.secret, known.next ?? decoy] };
    }
    const half = this.#halfOpen.find(sid, now);
    if (half !== undefined) return { half, secrets: [half.secret, decoy] };
    const stone = sessions.tombstones.find(sid, now);
    if (stone !== undefined) {
      return { ended: stone.received, secrets: stone.secrets };
    }
    const stored = await journal?.find(sid);
    if (stored === undefined) return { secrets: [decoy, decoy] };
    const { secret, nextSecret, ended } = stored;
    const next = nextSecret.length > 0 ? nextSecret : decoy;
    return { stored, ended, secrets: [secret, next] };
  }

  // Its RESUME proves what its CONFIRM would have proven.
  async #openHalf(
    io: HandshakeIo,
    opening: Opening<ResumeRecord>,
    { sid, keyId }: HalfOpen,
    secret: SessionSecret,
  ): Promise<Session> {
    const { sessions } = this.#context;
    if (!await this.#authorized("open", sid, keyId, io.transport)) {
      await refuseProven(io, opening, secret, REFUSAL.denied, 0);
      throw new Error("not authorized");
    }
    // No turn of others between this look and the session, unless it is in vain.
    const full = sessions.full(keyId, 1);
    if (full !== undefined) await this.#refuseBusy(io, full);
    if (!this.#halfOpen.take(sid.toHex())) {
      const opened = sessions.find(sid.toHex());
      if (opened !== undefined) return opened;
      throw new Error("the session ended meanwhile");
    }
    const session = sessions.openWaiting(sid, secret, keyId);
    const { conn } = session;
    const remote = addressText(io.transport.remoteAddr);
    this.#context.emit({ type: "session-opened", sid: conn.sid, remote });
    this.#context.opened(conn);
    return session;
  }

  // The order is the point: the epoch is taken, then the old transport is
  // fenced, and only then is it read how far this end received. Otherwise bytes
  // that the old one still brings would be counted and sent again.
  async #takeOver(
    io: HandshakeIo,
    opening: Opening<ResumeRecord>,
    target: Session | StoredHead,
    secret: SessionSecret,
    handOver: () => void,
  ): Promise<void> {
    const { record } = opening;
    const proof = await nextProof(opening, secret);
    const { session, told } = await this.#turns.take(
      record.sid.toHex(),
      async () => {
        const session = await this.#claim(io, opening, target, secret, proof);
        // A client that proves itself with the next one has moved on to it.
        session.secret = secret;
        session.next = undefined;
        session.conn.fence("replaced");
        return { session, told: session.conn.core.position };
      },
    );
    const { ttlMs } = this.#context;
    const grant = await grantResume(io, opening, secret, proof, told, ttlMs);
    this.#requireNewest(session, record.epoch);
    // Before it is told: the client may come back with it at once.
    session.next = grant.next;
    await grant.send();
    const peer = { received: record.received, limit: record.limit };
    const early = isSecure(io.transport);
    // On TLS nobody can have recorded this RESUME and play it back: replay
    // begins a round trip earlier. The client's proof is still read first.
    const transport = early
      ? new EarlyTransport(io, () => this.#confirm(session, grant, record))
      : io.transport;
    if (!early) await this.#confirm(session, grant, record);
    this.#requireNewest(session, record.epoch);
    const rest = early ? new Uint8Array(0) : io.rest;
    const attachment: Attachment = { transport, peer, told, rest };
    handOver();
    this.#context.sessions.attach(session, attachment);
    const remote = addressText(io.transport.remoteAddr);
    const { sid } = session.conn;
    this.#context.emit({ type: "session-resumed", sid, remote });
  }

  // Recorded before it is acted on. In memory and in the store at once: a
  // commit must never name an epoch that the store does not have.
  async #claim(
    io: HandshakeIo,
    opening: Opening<ResumeRecord>,
    target: Session | StoredHead,
    secret: SessionSecret,
    proof: NextProof,
  ): Promise<Session> {
    const { journal, sessions } = this.#context;
    const { record } = opening;
    const sid = record.sid.toHex();
    // Who had the turn before may have brought it here.
    const live = target instanceof Session ? target : sessions.find(sid);
    const { epoch: from } = live ?? target;
    if (record.epoch <= from) throw new Error("a newer transport won");
    if (live !== undefined) {
      live.epoch = record.epoch;
      if (journal === undefined) return live;
    } else {
      const full = sessions.full((target as StoredHead).keyId, 1);
      if (full !== undefined) await this.#refuseBusy(io, full);
    }
    const claim = { sid, from, to: record.epoch, secret };
    const nextSecret = proof.next;
    const stored = await journal!.claim({ ...claim, nextSecret }).catch(
      async (error) => {
        // Nobody knows which epoch it has now: whoever comes next shall look.
        live?.conn.lose("resume/store", errorText(error), error);
        await refuse(io, REFUSAL.busy, BUSY_RETRY_MS);
        throw error;
      },
    );
    if (stored === undefined) {
      live?.conn.lose("resume/taken-over", "it goes on at another server");
      await refuse(io, REFUSAL.busy, CONFLICT_RETRY_MS);
      throw new Error(`session ${sid} was claimed by another server`);
    }
    if (live !== undefined) return live;
    const session = sessions.restoreStored(record.sid, stored);
    this.#context.opened(session.conn);
    return session;
  }

  async #refuseBusy(io: HandshakeIo, why: string): Promise<never> {
    await refuse(io, REFUSAL.busy, BUSY_RETRY_MS);
    throw new Error(why);
  }

  async #confirm(
    session: Session,
    grant: Grant,
    record: ResumeRecord,
  ): Promise<void> {
    await grant.confirmed();
    if (session.epoch !== record.epoch) return;
    session.secret = grant.next;
    session.next = undefined;
  }

  #requireNewest(session: Session, epoch: number): void {
    this.#context.stopped.throwIfAborted();
    if (session.epoch !== epoch) throw new Error("a newer transport won");
    if (this.#context.sessions.find(session.conn.sid) !== session) {
      throw new Error("the session ended meanwhile");
    }
  }
}

function isSecure(transport: Transport): boolean {
  return "handshake" in transport;
}

function hostOf({ remoteAddr }: Transport): string {
  return remoteAddr !== undefined && "hostname" in remoteAddr
    ? remoteAddr.hostname
    : "";
}
