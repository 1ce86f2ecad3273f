/**
 * One end of a stream as a finite automaton that is found while it is used:
 * nodes are what a core can be in, edges what can be done to it. A core cannot
 * be copied, so an edge is found by doing all again from the start, once; after
 * that a search walks over numbers.
 *
 * Two histories lead to one node when nothing that can be asked tells them
 * apart: all that a core shows, what the wire has said in either direction, and
 * what it would send next, on this transport and on a new one.
 */
import { type Core, type CoreOptions, type State, world } from "./_world.ts";

const { at, hold } = world;

/** What a core shows in a node. */
export interface Facts {
  readonly written: number;
  readonly acked: number;
  readonly arrived: number;
  readonly mark: number;
  readonly limit: number;
  readonly unread: number;
  readonly readable: boolean;
  readonly sent: number;
  readonly ended: boolean;
  readonly closed: boolean;
  readonly done: boolean;
  readonly broken: boolean;
  readonly eof: boolean;
  readonly read: number;
}

export interface Edge {
  readonly to: Node;
  /** What `output` gave, as one character a byte; `undefined` for nothing. */
  readonly out: string | undefined;
}

export interface Node {
  readonly id: number;
  readonly facts: Facts;
  readonly edges: Map<string, Edge>;
  readonly parent: Node | undefined;
  readonly op: string;
  /** The node starts from this, and its parents do not matter. */
  readonly base: State | undefined;
}

const text = (bytes: Uint8Array): string => String.fromCharCode(...bytes);
const bytesOf = (text: string): Uint8Array =>
  Uint8Array.from(text, (char) => char.charCodeAt(0));

/** Cuts a text of whole frames into them. */
export function frames(bytes: string): string[] {
  const found: string[] = [];
  for (let i = 0; i < bytes.length;) {
    const length = frameLength(bytes, i);
    found.push(bytes.slice(i, i + length));
    i += length;
  }
  return found;
}

function frameLength(bytes: string, from: number): number {
  if (bytes.length - from < 12) return Infinity;
  return 12 + (bytes.charCodeAt(from + 1) << 16) +
    (bytes.charCodeAt(from + 2) << 8) + bytes.charCodeAt(from + 3);
}

const number = (bytes: string, from: number): number =>
  (bytes.charCodeAt(from + 6) << 8) | bytes.charCodeAt(from + 7);

const ACK = 2;
// Longer than an acknowledgement waits for more to acknowledge.
const TICK_MS = 30;

/** A core that is being driven, and what its wire has said. */
class Run {
  readonly core: Core;
  readonly side: number;
  now = 0;
  read = 0;
  eof = false;
  ended = false;
  told = "";
  heard = 0;
  partial = "";
  /** What `output` gave last, and how it looked then. */
  handed: readonly [Uint8Array, string] | undefined;

  constructor(side: number, core: Core) {
    this.side = side;
    this.core = core;
  }

  write(n: number): void {
    const from = this.core.written;
    this.core.write(
      Uint8Array.from({ length: n }, (_, i) => at(this.side, from + i)),
    );
  }

  do(op: string): string | undefined {
    const { core } = this;
    const rest = op.slice(1);
    switch (op[0]) {
      case "w":
        this.write(Number(rest));
        break;
      case "r":
        this.consume(Number(rest));
        break;
      case "f":
        this.ended = true;
        core.closeWrite();
        break;
      case "c":
        this.ended = true;
        core.close();
        break;
      case "x":
        core.detach();
        break;
      case "a": {
        const [received, limit, toldMark, toldLimit] = rest.split(",").map(
          Number,
        ) as [number, number, number, number];
        const told = { received: toldMark, limit: toldLimit };
        core.attach({ received, limit }, told, this.now);
        this.told = `${toldMark},${toldLimit}`;
        this.heard = limit;
        this.partial = "";
        // What the old transport still says is fenced: true, and cut short.
        this.handed = undefined;
        break;
      }
      case "t":
        this.now += TICK_MS;
        break;
      case "i":
        this.receive(rest);
        break;
      case "o":
        return this.output();
    }
    this.unchanged();
    return undefined;
  }

  receive(bytes: string): void {
    const length = bytes.length;
    this.core.receive(
      { bytes: bytesOf(bytes), references: 0 },
      length,
      this.now,
    );
    this.partial += bytes;
    for (;;) {
      const length = frameLength(this.partial, 0);
      if (length > this.partial.length) return;
      if (this.partial.charCodeAt(0) === ACK) {
        this.heard = Math.max(this.heard, number(this.partial, 12));
      }
      this.partial = this.partial.slice(length);
    }
  }

  output(): string | undefined {
    this.unchanged();
    const bytes = this.core.output(this.now);
    if (bytes === undefined) return undefined;
    const out = text(bytes);
    this.handed = [bytes, out];
    for (const frame of frames(out)) {
      if (frame.charCodeAt(0) === ACK) {
        this.told = `${number(frame, 4)},${number(frame, 12)}`;
      }
    }
    return out;
  }

  /** A transport may still be reading what it was given. */
  unchanged(): void {
    if (this.handed === undefined) return;
    hold(
      text(this.handed[0]) === this.handed[1],
      "I2: bytes changed in flight",
    );
  }

  consume(n: number): void {
    const into = new Uint8Array(n);
    const got = this.core.read(into);
    if (got === null) {
      hold(this.core.arrived === this.read, "I14: the end before a byte");
      this.eof = true;
      return;
    }
    hold(!this.eof || got === 0, "I14: data after the end");
    this.same(into.subarray(0, got), 1 - this.side, this.read, "I1/I2: read");
    this.read += got;
  }

  same(bytes: Uint8Array, side: number, from: number, what: string): void {
    bytes.forEach((byte, i) =>
      hold(byte === at(side, from + i), `${what}: wrong byte ${from + i}`)
    );
  }

  facts(options: CoreOptions, state: State): Facts {
    const { core } = this;
    const { unacked, unread, sentMax: sent } = state;
    const { acked, written, closed } = core;
    hold(written - acked <= options.sendMax, "I13: beyond the cap");
    hold(unread.length <= options.window, "I13: beyond the window");
    hold(unacked.length === written - acked, `I4: keeps ${unacked.length}`);
    hold(acked <= sent && sent <= written, `I3: ${acked} ${sent} ${written}`);
    this.same(unacked, this.side, acked, "I4: kept");
    if (!closed) {
      hold(core.consumed === this.read, "I2: read and counted differ");
      this.same(unread, 1 - this.side, this.read, "I1/I2: arrived");
    }
    return {
      written,
      acked,
      arrived: core.arrived,
      mark: core.receivedMark,
      limit: core.limit,
      unread: unread.length,
      readable: core.readable,
      sent,
      ended: this.ended,
      closed,
      done: core.done,
      broken: core.broken,
      eof: this.eof,
      read: this.read,
    };
  }

  /** What it would send; it is of no use afterwards. */
  future(): string {
    const { core } = this;
    const said: string[] = [];
    const pump = () => {
      for (const now of [this.now, this.now + TICK_MS]) {
        for (let out; (out = core.output(now)) !== undefined;) {
          said.push(text(out));
        }
        said.push("|");
      }
    };
    if (!this.ended) this.write(3);
    if (core.attached) pump();
    core.detach();
    const peer = { received: core.acked, limit: 1000 };
    core.attach(peer, core.position, this.now);
    pump();
    return said.join("\u0100");
  }
}

/** See the module's comment. */
export class Automaton {
  readonly start: Node;
  readonly #side: number;
  readonly #options: CoreOptions;
  readonly #nodes = new Map<string, Node>();

  constructor(side: number, options: CoreOptions) {
    this.#side = side;
    this.#options = options;
    const run = this.#run();
    this.start = this.#node(run, undefined, "", undefined);
  }

  get size(): number {
    return this.#nodes.size;
  }

  #run(base?: State): Run {
    return new Run(this.#side, new world.StreamCore(this.#options, base));
  }

  #node(
    run: Run,
    parent: Node | undefined,
    op: string,
    base: State | undefined,
  ): Node {
    const state = run.core.export();
    const facts = run.facts(this.#options, state);
    const { unacked: _unacked, unread: _unread, ...shown } = state;
    const attached = run.core.attached
      ? `${run.told};${run.heard};${run.partial}`
      : "";
    const key = `${JSON.stringify([facts, shown, attached])}${run.future()}`;
    let node = this.#nodes.get(key);
    if (node === undefined) {
      const id = this.#nodes.size;
      node = { id, facts, edges: new Map(), parent, op, base };
      this.#nodes.set(key, node);
    }
    return node;
  }

  #replay(node: Node): Run {
    const ops: string[] = [];
    let first = node;
    while (first.base === undefined && first.parent !== undefined) {
      ops.push(first.op);
      first = first.parent;
    }
    const run = this.#run(first.base);
    if (first.base !== undefined) {
      run.read = first.facts.read;
      run.eof = first.facts.eof;
      run.ended = first.facts.ended;
      // What the program of the new process does again, if it has to.
      if (first.facts.closed && !run.core.closed) run.core.close();
    }
    for (const op of ops.reverse()) run.do(op);
    return run;
  }

  /** Does something to the core of a node; `m` moves it to another process, `t` waits. */
  step(node: Node, op: string): Edge {
    let edge = node.edges.get(op);
    if (edge !== undefined) return edge;
    if (op === "m") {
      const base = structuredClone(this.#replay(node).core.export());
      const run = this.#replay({ ...node, base });
      edge = { to: this.#node(run, undefined, op, base), out: undefined };
    } else {
      const run = this.#replay(node);
      const out = run.do(op);
      edge = { to: this.#node(run, node, op, undefined), out };
    }
    node.edges.set(op, edge);
    return edge;
  }
}
