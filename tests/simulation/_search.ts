/**
 * Every life of a small session: all that can happen next, from every state
 * that can be reached, each state once. `_automaton.ts` says what an end is in,
 * this file what is between the two.
 */
import { Automaton, type Edge, frames, type Node } from "./_automaton.ts";
import { type Rule, RULES, SIDES, WIRES } from "./_search_rules.ts";
import type { Phase, Side } from "./_search_rules.ts";
import { type CoreOptions, world } from "./_world.ts";

const { hold } = world;

/** Something that a program does: writes so many bytes, ends one direction, or both. */
export type Act = number | "fin" | "close";

/** What two programs do, each in its order; and what may go wrong. */
export interface Script {
  readonly does: readonly [readonly Act[], readonly Act[]];
  readonly ends: readonly [CoreOptions, CoreOptions];
  /** How many transports or handshakes may break. */
  readonly cuts: number;
  /** How many deliveries may be torn, each at any byte. */
  readonly tears: number;
  /** How many times an end may move to another process. */
  readonly moves: number;
}

type Two<T> = readonly [T, T];

interface State {
  readonly ends: Two<Node>;
  readonly phase: Phase;
  /** What each side sent: frames, each with a mark after it. */
  readonly wires: Two<string>;
  readonly torn: Two<boolean>;
  /** What each side told in the handshake under way: mark and limit. */
  readonly told: Two<string>;
  /** How far each program is: acts, and bytes of the present one. */
  readonly at: Two<number>;
  readonly taken: Two<number>;
  readonly cuts: number;
  readonly tears: number;
  readonly moves: number;
}

const MARK = "\u0100";
const NAMES = ["client", "server"] as const;
const STEPS_MAX = 1_000;

function put<T>(two: Two<T>, side: Side, value: T): Two<T> {
  return side === 0 ? [value, two[1]] : [two[0], value];
}

const position = ({ facts }: Node): string => `${facts.mark},${facts.limit}`;

// What decides how it goes on from here, whatever may still go wrong.
const situation = ({ ends: [a, b], phase, wires, torn, told }: State): string =>
  `${a.id} ${b.id} ${phase} ${told.join()} ${torn.join()} ${wires.join("/")}`;

const keyOf = (state: State): string =>
  `${state.at.join()} ${state.taken.join()} ${state.cuts} ${state.tears} ${state.moves} ${
    situation(state)
  }`;

/** Something that does not hold, and the steps that lead there. */
export class Dead extends Error {
  readonly schedule: string;

  constructor(message: string, schedule: string, options: ErrorOptions) {
    super(message, options);
    this.schedule = schedule;
  }
}

// In the order of A. B. Kahn (1962): a state once all ways to it are counted.
function countPaths(states: number, edges: readonly number[]): number {
  const next: number[][] = Array.from({ length: states }, () => []);
  const waiting = new Int32Array(states);
  for (let i = 0; i < edges.length; i += 2) {
    next[edges[i]!]!.push(edges[i + 1]!);
    waiting[edges[i + 1]!]!++;
  }
  const ways = new Float64Array(states);
  ways[0] = 1;
  let total = 0;
  const ready = [0];
  for (let at; (at = ready.pop()) !== undefined;) {
    if (next[at]!.length === 0) total += ways[at]!;
    for (const to of next[at]!) {
      ways[to]! += ways[at]!;
      if (--waiting[to]! === 0) ready.push(to);
    }
  }
  return total;
}

/** See the module's comment. */
export class Search {
  readonly #script: Script;
  readonly #automata: Two<Automaton>;
  readonly #settled = new Set<string>();
  /** How many states were found, and how many steps there are between them. */
  states = 0;
  steps = 0;
  /** How many ways lead from the first state to one in which nothing is left. */
  schedules = 0;

  constructor(script: Script) {
    this.#script = script;
    const [a, b] = script.ends;
    this.#automata = [new Automaton(0, a), new Automaton(1, b)];
  }

  /** Walks through all; throws with the shortest way to what does not hold. */
  run(): void {
    const found = new Map<string, number>();
    const states: State[] = [];
    const parents: number[] = [];
    const names: string[] = [];
    const edges: number[] = [];
    const add = (state: State, parent: number, name: string): void => {
      const key = keyOf(state);
      let index = found.get(key);
      if (index === undefined) {
        index = states.length;
        found.set(key, index);
        states.push(state);
        parents.push(parent);
        names.push(name);
      }
      if (name !== "") edges.push(parent, index);
    };
    const way = (index: number, last: readonly string[]): string => {
      const all: string[] = [...last];
      for (let i = index; i > 0; i = parents[i]!) all.unshift(names[i]!);
      return JSON.stringify(all);
    };
    add(this.#start(), 0, "");
    for (let i = 0; i < states.length; i++) {
      const doing: string[] = [];
      try {
        this.#check(states[i]!);
        for (const [name, state] of this.#next(states[i]!, doing)) {
          add(state, i, name);
        }
        doing.length = 0;
        this.#settle(states[i]!);
      } catch (error) {
        const { message } = error as Error;
        throw new Dead(message, way(i, doing), { cause: error });
      }
    }
    this.states = states.length;
    this.steps = edges.length / 2;
    this.schedules = countPaths(states.length, edges);
  }

  /** Goes one way, as a failure prints it, and then lets the network hold. */
  replay(schedule: readonly string[]): void {
    let state = this.#start();
    for (const wanted of schedule) {
      const doing: string[] = [];
      const after = [...this.#next(state, doing)].find(([name]) =>
        name === wanted
      );
      if (after === undefined) throw new Error(`Cannot go on: no "${wanted}"`);
      this.#check(state = after[1]);
    }
    this.#settle(state);
  }

  #start(): State {
    const { cuts, tears, moves } = this.#script;
    const two = <T>(value: T): Two<T> => [value, value];
    const [a, b] = this.#automata;
    const told = [position(a.start), position(b.start)] as const;
    const ends: Two<Node> = [
      a.step(a.start, `a${told[1]},${told[0]}`).to,
      b.step(b.start, `a${told[0]},${told[1]}`).to,
    ];
    return {
      ends,
      phase: "up",
      wires: two(""),
      torn: two(false),
      told: two(""),
      at: two(0),
      taken: two(0),
      cuts,
      tears,
      moves,
    };
  }

  #step(state: State, side: Side, op: string): Edge {
    return this.#automata[side].step(state.ends[side], op);
  }

  /** Does one thing to the core of one side. */
  #do(state: State, side: Side, op: string): State {
    const { to, out } = this.#step(state, side, op);
    const after = { ...state, ends: put(state.ends, side, to) };
    if (out === undefined || !WIRES[state.phase].takes[side]) return after;
    const sent = frames(out).map((frame) => frame + MARK).join("");
    return {
      ...after,
      wires: put(state.wires, side, state.wires[side] + sent),
    };
  }

  /** All that can happen next, each with a name; `doing` gets it beforehand. */
  *#next(state: State, doing: string[]): Generator<[string, State]> {
    for (const side of SIDES) {
      yield* this.#program(state, side, doing);
      yield* this.#transport(state, side, doing);
    }
    for (const rule of RULES[state.phase]) {
      if (rule.costs > state.cuts) continue;
      doing[0] = rule.name;
      yield [rule.name, this.#apply(state, rule)];
    }
    if (state.phase !== "down" || state.moves === 0) return;
    for (const side of SIDES) {
      const name = doing[0] = `${NAMES[side]} moves`;
      yield [name, { ...this.#do(state, side, "m"), moves: state.moves - 1 }];
    }
  }

  *#program(
    state: State,
    side: Side,
    doing: string[],
  ): Generator<[string, State]> {
    const { facts } = state.ends[side];
    const act = this.#script.does[side][state.at[side]];
    const after: State = {
      ...state,
      at: put(state.at, side, state.at[side] + 1),
      taken: put(state.taken, side, 0),
    };
    if (typeof act === "number") {
      const left = act - state.taken[side];
      const { sendMax } = this.#script.ends[side];
      const n = Math.min(left, sendMax - (facts.written - facts.acked));
      const part = { ...state, taken: put(state.taken, side, act - left + n) };
      const name = doing[0] = `${NAMES[side]} writes ${n}`;
      if (facts.broken) yield [`${NAMES[side]} gives up`, after];
      else if (n > 0) {
        yield [name, this.#do(n === left ? after : part, side, `w${n}`)];
      }
    } else if (act !== undefined) {
      const name = doing[0] = `${NAMES[side]} says ${act}`;
      yield [name, this.#do(after, side, act === "fin" ? "f" : "c")];
    }
    if (facts.closed || facts.unread === 0) return;
    for (const n of facts.unread > 1 ? [1, 9] : [9]) {
      const name = doing[0] = `${NAMES[side]} reads ${n}`;
      yield [name, this.#do(state, side, `r${n}`)];
    }
  }

  *#transport(
    state: State,
    side: Side,
    doing: string[],
  ): Generator<[string, State]> {
    const name = doing[0] = `${NAMES[side]} sends`;
    if (this.#step(state, side, "o").out !== undefined) {
      yield [name, this.#do(state, side, "o")];
    } else {
      const later = this.#do(state, side, "t");
      if (this.#step(later, side, "o").out !== undefined) {
        yield [`${NAMES[side]} waits`, later];
      }
    }
    const wire = state.wires[side];
    if (wire === "" || !WIRES[state.phase].brings[side]) return;
    const length = wire.indexOf(MARK);
    yield [
      doing[0] = `a frame of the ${NAMES[side]} arrives`,
      this.#arrive(state, side, length),
    ];
    if (state.torn[side] || state.tears === 0) return;
    for (let k = 1; k < length; k++) {
      doing[0] = `${k} bytes of a frame of the ${NAMES[side]} arrive`;
      yield [doing[0], this.#arrive(state, side, k)];
    }
  }

  #arrive(state: State, side: Side, k: number): State {
    const wire = state.wires[side];
    const torn = wire[k] !== MARK;
    const after = this.#do(state, (1 - side) as Side, `i${wire.slice(0, k)}`);
    return {
      ...after,
      wires: put(after.wires, side, wire.slice(torn ? k : k + 1)),
      torn: put(state.torn, side, torn),
      tears: state.tears - Number(torn),
    };
  }

  /** What a rule of the session layer does, in this order. */
  #apply(state: State, rule: Rule): State {
    let after = state;
    for (const side of rule.detaches) after = this.#do(after, side, "x");
    const [a, b] = after.ends;
    const told: Two<string> = rule.tells === "client"
      ? [position(a), ""]
      : rule.tells === "server"
      ? [state.told[0], position(b)]
      : state.told;
    for (const side of rule.attaches) {
      const peer = told[1 - side]!;
      after = this.#do(after, side, `a${peer},${told[side]}`);
    }
    const kept = (side: Side) => rule.keeps[side];
    return {
      ...after,
      phase: rule.to,
      told: rule.to === "up" || rule.to === "down" ? ["", ""] : told,
      wires: [kept(0) ? after.wires[0] : "", kept(1) ? after.wires[1] : ""],
      torn: [kept(0) && state.torn[0], kept(1) && state.torn[1]],
      cuts: state.cuts - rule.costs,
    };
  }

  /** What holds between the ends, in every state. */
  #check({ ends }: State): void {
    for (const side of SIDES) {
      const [own, peer] = [ends[side].facts, ends[1 - side]!.facts];
      hold(
        own.acked <= peer.arrived && peer.arrived <= own.sent,
        `I3: acked ${own.acked}, received ${peer.arrived}, sent ${own.sent}`,
      );
      hold(
        peer.mark <= own.written + Number(own.ended),
        "I14: an end that nobody said",
      );
    }
  }

  /**
   * Lets the network hold from here on, and both programs end and read all:
   * then both get everything (I12, I14), or are done when one closed (I15).
   */
  #settle(start: State): void {
    const passed: string[] = [];
    let state: State | undefined = start;
    while (state !== undefined) {
      const key = situation(state);
      if (this.#settled.has(key)) break;
      passed.push(key);
      hold(passed.length < STEPS_MAX, "I12: no end of steps");
      const next = this.#onward(state);
      if (next === undefined) this.#judge(state);
      state = next;
    }
    for (const key of passed) this.#settled.add(key);
  }

  #onward(state: State): State | undefined {
    if (state.phase !== "up") {
      return this.#apply(state, RULES[state.phase][0]!);
    }
    for (const side of SIDES) {
      const length = state.wires[side].indexOf(MARK);
      if (length > 0) return this.#arrive(state, side, length);
      const { facts } = state.ends[side];
      const wants = facts.unread > 0 || facts.readable && !facts.eof;
      if (wants && !facts.closed) return this.#do(state, side, "r9");
      if (this.#step(state, side, "o").out !== undefined) {
        return this.#do(state, side, "o");
      }
    }
    for (const side of SIDES) {
      const later = this.#do(state, side, "t");
      if (this.#step(later, side, "o").out !== undefined) return later;
    }
    for (const side of SIDES) {
      const { facts } = state.ends[side];
      if (facts.ended) continue;
      const { sendMax } = this.#script.ends[side];
      hold(
        facts.broken || facts.written - facts.acked < sendMax,
        `I13: the ${NAMES[side]} can never write again`,
      );
      return this.#do(state, side, "f");
    }
    return undefined;
  }

  #judge({ ends }: State): void {
    const closed = ends.some(({ facts }) => facts.closed);
    for (const side of SIDES) {
      const [own, peer] = [ends[side].facts, ends[1 - side]!.facts];
      if (closed) {
        hold(own.done, `I15: the ${NAMES[side]} is never done`);
        continue;
      }
      hold(own.eof, `I14: the ${NAMES[side]} never saw the end`);
      hold(
        own.read === peer.written && peer.acked === peer.written,
        `I12: the ${NAMES[side]} read ${own.read} of ${peer.written}`,
      );
    }
  }
}
