/**
 * A whole client and server without sockets, clocks or randomness: two real
 * stream cores, and a model of the session layer around them that follows
 * `_pipe.ts`, `_client_session.ts` and `_incoming.ts` step by step. Every step
 * is asked for from outside, so that a test decides what happens when.
 */
import type { CoreOptions, Position } from "../_core_state.ts";
import { StreamCore } from "../_stream_core.ts";
import { at, End, hold, type Outcome } from "./world_end.ts";
export { StreamCore };

export { at, hold };

type RecordKind =
  | "resume"
  | "resumed"
  | "confirm"
  | "unknown"
  | "stale"
  | "gone";

/** A record of the handshake, or the end of a transport. */
interface Said {
  readonly kind: RecordKind | "end";
  /** The epoch, or the mark in which a session ended. */
  readonly value?: number;
  /** Which of the rotating keys proves it, or comes next. */
  readonly key?: number;
  readonly at?: Position;
}
type Message = Uint8Array | Said;

/** One direction of a transport. */
class Wire {
  items: Message[] = [];
  bytes = 0;
  /** What is put in from now on comes out nowhere. */
  hole = false;

  put(item: Message): void {
    if (item instanceof Uint8Array) this.bytes += item.length;
    if (!this.hole) this.items.push(item);
  }

  /** Drops all but the first bytes; a record counts as one. */
  truncate(keep: number): void {
    let left = keep;
    this.items = this.items.flatMap((item) => {
      if (left <= 0) return [];
      const part = item instanceof Uint8Array ? item.subarray(0, left) : item;
      left -= item instanceof Uint8Array ? item.length : 1;
      return part;
    });
  }
}

type Grant = { epoch: number; key: number; peer: Position; told: Position };

/** A transport: `wires[side]` is what that side sends. */
export class Link {
  readonly wires: readonly [Wire, Wire] = [new Wire(), new Wire()];
  /** What the server granted on it, until it is confirmed. */
  grant: Grant | undefined;
}

/** How a pair behaves; times in milliseconds. */
export interface PairOptions {
  readonly ends: readonly [CoreOptions, CoreOptions];
  readonly ttlMs: number;
  /** How much a transport takes before it delivers any. */
  readonly socketBytes: number;
  /** Whether the server sends before CONFIRM, as over TLS. */
  readonly early: boolean;
}

const HANDSHAKE_MS = 5_000;
const LINGER_MS = 1_000;
const LAST_CALL_MS = 1_000;
const BACKOFF_MS = 50;
const BACKOFF_MAX_MS = 5_000;

/** See the module's comment; end 0 is the client, end 1 the server. */
export class Pair {
  readonly options: PairOptions;
  readonly ends: readonly [End, End];
  /** Every transport that still has something to deliver, oldest first. */
  links: Link[] = [];
  time = 0;
  ignored = 0;
  resumed = 0;
  offline = false;
  /** How many bytes under way survive that an end closes with some unread. */
  survivors: (bytes: number) => number = (bytes) => bytes;
  #serverEpoch = 1;
  #serverKey = 0;
  #serverNext: number | undefined;
  #clientEpoch = 1;
  #clientKey = 0;
  #newest = 0;
  #attempt: { readonly link: Link; readonly told: Position } | undefined;
  #failures = 0;

  constructor(options: PairOptions) {
    this.options = options;
    const [first, second] = options.ends;
    const [a, b] = this.ends = [
      new End(0, {
        ...first,
        closeIsHeard: true,
      }),
      new End(1, second),
    ];
    const link = this.#newLink();
    const told = [a.core.position, b.core.position] as const;
    this.#attach(b, link, told[0], told[1]);
    this.#attach(a, link, told[1], told[0]);
  }

  #newLink(): Link {
    const link = new Link();
    this.links.push(link);
    return link;
  }

  #now(end: End): number {
    return this.time + end.clock;
  }

  #after(end: End, name: string, ms: number, run: () => void): void {
    end.timers.set(name, { at: this.#now(end) + ms, run });
  }

  #attach(end: End, link: Link, peer: Position, told: Position): void {
    for (const name of ["expiry", "dial", "last call"]) end.timers.delete(name);
    end.core.attach(peer, told, this.#now(end));
    end.link = link;
    end.lingering = false;
    this.kick(end);
  }

  #detach(end: End): void {
    const { link } = end;
    if (link === undefined) return;
    end.link = undefined;
    end.pending = undefined;
    end.timers.delete("pipe");
    end.core.detach();
    this.#hangUp(link, end.side);
    this.#wait(end);
  }

  #wait(end: End): void {
    end.detachedAt = this.#now(end);
    if (end.side === 0) return;
    const expire = () => this.#end(end, "expired");
    this.#after(end, "expiry", this.options.ttlMs, expire);
  }

  // A transport that is closed with bytes unread may destroy what it carries.
  #hangUp(link: Link, side: number): void {
    const [out, into] = [link.wires[side]!, link.wires[1 - side]!];
    if (into.items.length > 0) out.truncate(this.survivors(out.bytes));
    out.put({ kind: "end" });
    out.hole = into.hole = true;
  }

  kick(end: End): void {
    const { link } = end;
    if (link === undefined) return;
    const wire = link.wires[end.side]!;
    for (;;) {
      if (end.pending === undefined) {
        end.pending = end.core.output(this.#now(end));
        if (end.pending === undefined) return this.#settle(end);
      }
      const room = this.options.socketBytes - wire.bytes;
      // A write that is stuck must not stop the clock by which that is found.
      if (room <= 0) return this.#arm(end);
      // Copied only now: a transport reads memory when it comes to it.
      wire.put(end.pending.slice(0, room));
      const { length } = end.pending;
      end.pending = length > room ? end.pending.subarray(room) : undefined;
    }
  }

  #settle(end: End): void {
    const { core } = end;
    if (core.done && core.closed) return this.#end(end, "closed");
    if (core.done && !end.lingering) {
      end.lingering = true;
      return this.#after(end, "pipe", LINGER_MS, () => this.#wake(end));
    }
    this.#arm(end);
  }

  // At least a millisecond ahead, as with `setTimeout`.
  #arm(end: End): void {
    const now = this.#now(end);
    const at = Math.max(now + 1, end.core.wakeAt(now));
    const run = () => this.#wake(end);
    if (at < (end.timers.get("pipe")?.at ?? Infinity)) {
      end.timers.set("pipe", { at, run });
    }
  }

  #wake(end: End): void {
    if (end.lingering && end.core.done) return this.#end(end, "closed");
    if (end.core.dead(this.#now(end))) return this.fence(end.side);
    if (end.pending !== undefined) this.#settle(end);
    else this.kick(end);
  }

  #take(end: End, bytes: Uint8Array<ArrayBuffer>): void {
    const chunk = { bytes, references: 0 };
    end.core.receive(chunk, bytes.length, this.#now(end));
    this.kick(end);
  }

  #end(end: End, outcome: Outcome): void {
    if (end.over !== undefined) return;
    this.#detach(end);
    end.over = outcome;
    end.timers.clear();
    const { arrived } = this.ends[1 - end.side]!.core;
    hold(end.core.acked <= arrived, "I17: it reports more than the peer has");
    if (end.side === 0) this.#dropAttempt();
  }

  /** The transport is lost; or, on a hint, it is let go of. */
  fence(side: number, hint: boolean = false): void {
    const end = this.ends[side]!;
    if (end.link === undefined) return;
    if (end.core.done && !hint) return this.#end(end, "closed");
    this.#detach(end);
    this.#lastCall(end);
    if (side === 1 || end.over !== undefined) return;
    this.#failures = 0;
    if (this.#attempt === undefined) this.#dialAfter(0);
  }

  // Nothing can be lost any more: only so long is a transport waited for.
  #lastCall(end: End): void {
    if (!end.core.delivered) return;
    if (end.core.done) return this.#end(end, "closed");
    this.#after(end, "last call", LAST_CALL_MS, () => this.#end(end, "closed"));
  }

  #dialAfter(ms: number): void {
    this.#after(this.ends[0], "dial", ms, () => this.dial());
  }

  /** Asks for a new transport, while the old one works if there is one. */
  dial(): void {
    const [client] = this.ends;
    if (client.over !== undefined || this.#attempt !== undefined) return;
    client.timers.delete("dial");
    if (this.offline) return this.#failed();
    const link = this.#newLink();
    const at = client.core.position;
    this.#attempt = { link, told: at };
    this.#after(client, "attempt", HANDSHAKE_MS, () => this.abandon());
    const [value, key] = [++this.#clientEpoch, this.#clientKey];
    link.wires[0].put({ kind: "resume", value, key, at });
  }

  #dropAttempt(): boolean {
    if (this.#attempt === undefined) return false;
    this.#hangUp(this.#attempt.link, 0);
    this.#attempt = undefined;
    this.ends[0].timers.delete("attempt");
    return true;
  }

  abandon(): void {
    if (this.#dropAttempt()) this.#failed();
  }

  #failed(): void {
    const [client] = this.ends;
    if (client.link !== undefined) return; // The old transport still works.
    const left = client.detachedAt + this.options.ttlMs - this.#now(client);
    if (left <= 0) return this.#end(client, "expired");
    const delay = BACKOFF_MS * 2 ** Math.min(this.#failures++, 10);
    this.#dialAfter(Math.min(left, delay, BACKOFF_MAX_MS));
  }

  #answered(said: Said): void {
    const { link, told } = this.#attempt!;
    const [client] = this.ends;
    if (said.kind === "resumed") {
      this.#attempt = undefined;
      client.timers.delete("attempt");
      this.#clientKey = said.key!;
      // Only now: until it was accepted the old one carried the stream.
      this.#detach(client);
      link.wires[0].put({ kind: "confirm" });
      return this.#attach(client, link, said.at!, told);
    }
    this.#dropAttempt();
    hold(said.kind !== "unknown", "I11: a client is locked out");
    if (said.kind === "gone") {
      const all = said.value! > client.core.written;
      return this.#end(client, all ? "closed" : "gone");
    }
    if (said.kind === "stale") {
      this.#clientEpoch = Math.max(this.#clientEpoch, said.value!);
    }
    this.#failed();
  }

  #resume(link: Link, { value, key, at }: Said): void {
    const server = this.ends[1];
    const answer = (message: Message) => link.wires[1].put(message);
    const epoch = value!;
    if (key !== this.#serverKey && key !== this.#serverNext) {
      answer({ kind: "unknown" });
    } else if (server.over !== undefined) {
      answer({ kind: "gone", value: server.core.receivedMark });
    } else if (epoch <= this.#serverEpoch) {
      answer({ kind: "stale", value: this.#serverEpoch });
    } else {
      this.#serverEpoch = epoch;
      this.#serverKey = key!;
      this.#detach(server);
      const told = server.core.position;
      const next = this.#serverNext = ++this.#newest;
      link.grant = { epoch, key: next, peer: at!, told };
      answer({ kind: "resumed", key: next, at: told });
      if (this.options.early) this.#granted(link, link.grant);
      return;
    }
    this.#hangUp(link, 1);
  }

  #granted(link: Link, { peer, told }: Grant): void {
    const server = this.ends[1];
    this.#detach(server);
    const same = server.core.receivedMark === told.received;
    hold(same, "I6: bytes of an older transport were accepted");
    this.resumed++;
    this.#attach(server, link, peer, told);
  }

  #confirmed(link: Link): void {
    const { grant } = link;
    link.grant = undefined;
    if (grant === undefined || this.ends[1].over !== undefined) return;
    // The newest epoch wins, and the loser stops.
    if (grant.epoch !== this.#serverEpoch) return this.#hangUp(link, 1);
    this.#serverKey = grant.key;
    this.#serverNext = undefined;
    if (!this.options.early) this.#granted(link, grant);
  }

  /** Delivers the next that `side` sent on a transport, at most `max` bytes. */
  deliver(link: Link, side: number, max: number = Infinity): void {
    const wire = link.wires[side]!;
    let item = wire.items.shift();
    if (item === undefined) return;
    if (item instanceof Uint8Array) {
      if (item.length > max) wire.items.unshift(item.subarray(max));
      item = item.slice(0, max);
      wire.bytes -= (item as Uint8Array).length;
    }
    this.#arrive(link, side, item);
    const sender = this.ends[side]!;
    if (sender.link === link && sender.pending !== undefined) this.kick(sender);
    if (link.wires.every((one) => one.items.length === 0 && one.hole)) {
      this.links = this.links.filter((one) => one !== link);
    }
  }

  #arrive(link: Link, side: number, item: Message): void {
    const to = this.ends[1 - side]!;
    if (item instanceof Uint8Array) {
      if (to.link === link) this.#take(to, item as Uint8Array<ArrayBuffer>);
      else this.ignored += item.length;
    } else if (side === 1 && this.#attempt?.link === link) {
      this.#answered(item);
    } else if (item.kind === "resume") this.#resume(link, item);
    else if (item.kind === "confirm") this.#confirmed(link);
    else if (item.kind === "end" && to.link === link) this.fence(to.side);
  }

  /**
   * Breaks a transport: of what is under way each direction keeps so many
   * bytes, and only the sides named (as bits) ever get to know.
   */
  cut(link: Link, keep: readonly [number, number], told: number): void {
    for (const side of [0, 1] as const) {
      const wire = link.wires[1 - side]!;
      wire.truncate(keep[1 - side]!);
      if (told & (1 << side)) wire.put({ kind: "end" });
      wire.hole = true;
    }
  }

  /** Lets time pass; late timers run once, as after a sleep. */
  advance(ms: number): void {
    this.time += ms;
    for (const end of this.ends) this.#fire(end);
  }

  jump(side: number, ms: number): void {
    this.ends[side]!.clock += ms;
    this.#fire(this.ends[side]!);
  }

  #fire(end: End): void {
    const now = this.#now(end);
    for (const [name, timer] of [...end.timers]) {
      if (timer.at > now || end.timers.get(name) !== timer) continue;
      end.timers.delete(name);
      timer.run();
    }
  }

  get dueAt(): number {
    let due = Infinity;
    for (const { timers, clock } of this.ends) {
      for (const { at } of timers.values()) due = Math.min(due, at - clock);
    }
    return due;
  }

  write(side: number, n: number): void {
    const end = this.ends[side]!;
    if (end.over !== undefined) return;
    end.write(n);
    this.kick(end);
  }

  read(side: number, n: number): void {
    const end = this.ends[side]!;
    end.consume(n);
    this.kick(end);
  }

  closeWrite(side: number): void {
    const end = this.ends[side]!;
    if (end.over !== undefined || end.closed) return;
    end.closeWrite();
    this.kick(end);
  }

  close(side: number): void {
    const end = this.ends[side]!;
    if (end.closed) return;
    end.close();
    if (end.over !== undefined) return;
    this.kick(end);
    if (end.link === undefined && end.over === undefined) this.#lastCall(end);
  }

  /** Moves an end to another process, whose clock says something else. */
  move(side: number, clock: number): void {
    const end = this.ends[side]!;
    if (end.over !== undefined) return;
    if (side === 0) this.#dropAttempt();
    for (const link of this.links) {
      if (side === 0 || link.grant === undefined) continue;
      this.#hangUp(link, 1);
      link.grant = undefined;
    }
    this.#detach(end);
    end.timers.clear();
    end.move();
    end.clock = clock;
    this.#wait(end);
    if (side === 0) this.#dialAfter(0);
  }

  check(): void {
    const [a, b] = this.ends;
    a.checkAgainst(b);
    b.checkAgainst(a);
  }

  deliverAll(): boolean {
    let moved = false;
    for (const link of this.links) {
      for (const side of [0, 1]) {
        for (; link.wires[side]!.items.length > 0; moved = true) {
          this.deliver(link, side);
        }
      }
    }
    return moved;
  }
}
