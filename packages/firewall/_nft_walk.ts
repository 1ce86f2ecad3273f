import {
  intersect,
  type IntervalSet,
  NONE,
  subtract,
  unite,
} from "./_interval_set.ts";
import {
  type Drop,
  type Findings,
  type Flow,
  less,
  merge,
  place,
  sameMarks,
} from "./_nft_flow.ts";
import { elementsOf, matchElement, matchStatement } from "./_nft_match.ts";
import { mangle } from "./_nft_mangle.ts";
import type { Packet } from "./_nft_packet.ts";
import {
  chainKey,
  isRecord,
  type NftChain,
  type NftRule,
  type NftRuleset,
} from "./_nft_ruleset.ts";
import {
  CHANGING,
  HARMLESS,
  isComment,
  SOMETIMES,
  VERDICTS,
} from "./_nft_statements.ts";
import { type Context, NO_BITS } from "./_nft_value.ts";
import { mayOf, type Tri, yesOf } from "./_tri.ts";

/** The kernel allows 16 jumps; past that a ruleset is not one of its own. */
const DEPTH_MAX = 16;
/** Rules looked at for one packet: jumps can multiply them. */
const STEPS_MAX = 100_000;
/** What is the same for a whole walk. */
export interface Surroundings {
  readonly ruleset: NftRuleset;
  readonly packet: Packet;
  readonly all: IntervalSet;
  readonly state: string | undefined;
}

const DOUBTS_MAX = 64;
/** Where packets go after a rule. */
interface Ways {
  readonly stays: readonly Flow[];
  readonly returns: readonly Flow[];
}

/** Walks packets through one base chain; gives those that it may accept. */
export function walkChain(
  base: NftChain,
  flows: readonly Flow[],
  surroundings: Surroundings,
  findings: Findings,
): readonly Flow[] {
  return new Walk(surroundings, findings).run(base, flows);
}

class Walk {
  readonly #around: Surroundings;
  readonly #findings: Findings;
  readonly #accepted: Flow[] = [];
  #steps = 0;

  constructor(around: Surroundings, findings: Findings) {
    this.#around = around;
    this.#findings = findings;
  }

  run(base: NftChain, flows: readonly Flow[]): readonly Flow[] {
    for (const flow of this.#chain(base, flows, 0)) {
      if (base.policy === "drop") {
        this.#drop({ chain: base, rule: undefined }, flow.set);
      } else this.#accepted.push(flow);
    }
    return merge(this.#accepted);
  }

  /** Those that may come out at the end, or by a return. */
  #chain(
    chain: NftChain,
    flows: readonly Flow[],
    depth: number,
  ): readonly Flow[] {
    if (depth > DEPTH_MAX) {
      const at: Drop = { chain, rule: undefined };
      for (const flow of flows) this.#anything(at, flow, "jumps too deep");
      return flows;
    }
    let current = flows;
    const returned: Flow[] = [];
    for (const rule of chain.rules) {
      if (current.length === 0) break;
      if (++this.#steps > STEPS_MAX) {
        const at: Drop = { chain, rule };
        for (const flow of current) this.#anything(at, flow, "too many rules");
        break;
      }
      const [only] = current;
      if (current.length === 1) {
        const { stays, returns } = this.#rule(chain, rule, only!, depth);
        if (returns.length > 0) returned.push(...returns);
        current = stays;
        continue;
      }
      const ways = current.map((flow) => this.#rule(chain, rule, flow, depth));
      returned.push(...ways.flatMap(({ returns }) => returns));
      current = merge(ways.flatMap(({ stays }) => stays));
    }
    return returned.length === 0 ? current : merge([...current, ...returned]);
  }

  #rule(chain: NftChain, rule: NftRule, flow: Flow, depth: number): Ways {
    const at: Drop = { chain, rule };
    let may = flow;
    let sure = flow.set;
    for (const statement of rule.expr) {
      const [kind, body] = isRecord(statement) ? entryOf(statement) : [];
      if (kind === "match" || kind === "holds") {
        const holds: Tri = kind === "holds"
          ? body as Tri
          : matchStatement(body, this.#context(chain, may));
        if (holds === "no") return { stays: [flow], returns: [] };
        if (holds === "yes") continue;
        const next = intersect(may.set, mayOf(holds, may.set));
        if (next.length === 0) return { stays: [flow], returns: [] };
        sure = intersect(sure, yesOf(holds, sure));
        if (holds === "maybe") {
          this.#doubt(at, next, "its condition is not known");
        }
        may = { ...may, set: next };
      } else if (kind === undefined) {
        this.#anything(at, may, "one of its statements cannot be read");
        sure = NONE;
      } else if (SOMETIMES.has(kind)) {
        sure = NONE;
        this.#doubt(at, may.set, `its "${kind}" holds only at times`);
      } else if (kind === "vmap") {
        if (rule.added) this.#touch(may.set);
        return this.#vmap(at, body, { flow, may, sure }, depth);
      } else if (VERDICTS.has(kind)) {
        if (rule.added) this.#touch(may.set);
        const { back, returns } = this.#verdict(at, kind, body, may, depth);
        const rest = less(flow, sure);
        return { stays: merge([...rest, ...back]), returns };
      } else if (kind === "mangle") {
        const next = mangle(body, may, this.#context(chain, may));
        if (next === "breaks") break;
        if (next === "changes") this.#taint(at, may.set, "changes the packet");
        else may = next;
      } else if (CHANGING.has(kind)) {
        this.#taint(at, may.set, `may change the packet ("${kind}")`);
      } else if (!HARMLESS.has(kind) && !isComment(kind, body)) {
        this.#anything(at, may, `its "${kind}" is not understood`);
        sure = NONE;
      }
    }
    if (sameMarks(may, flow)) return { stays: [flow], returns: [] };
    return { stays: merge([...less(flow, sure), may]), returns: [] };
  }

  /** `back` go on to the next rule. */
  #verdict(
    at: Drop,
    kind: string,
    body: unknown,
    flow: Flow,
    depth: number,
  ): { back: readonly Flow[]; returns: readonly Flow[] } {
    switch (kind) {
      case "accept":
        this.#accepted.push(flow);
        return { back: [], returns: [] };
      case "drop":
      case "reject":
        this.#drop(at, flow.set);
        return { back: [], returns: [] };
      case "return":
        return { back: [], returns: [flow] };
      case "jump":
      case "goto": {
        const target = isRecord(body) && typeof body.target === "string"
          ? this.#around.ruleset.chains.get(chainKey(at.chain, body.target))
          : undefined;
        if (target === undefined) {
          this.#anything(at, flow, "it jumps to a chain that is not there");
          return { back: [flow], returns: [] };
        }
        const comesBack = this.#chain(target, [flow], depth + 1);
        return kind === "jump"
          ? { back: comesBack, returns: [] }
          : { back: [], returns: comesBack };
      }
      default:
        return { back: [flow], returns: [] };
    }
  }

  #vmap(
    at: Drop,
    body: unknown,
    { flow, may, sure }: { flow: Flow; may: Flow; sure: IntervalSet },
    depth: number,
  ): Ways {
    const { key, data } = isRecord(body) ? body : {};
    const context = this.#context(at.chain, may);
    const map = elementsOf(data, context);
    if (map === undefined || map.dynamic) {
      this.#anything(at, may, "its verdict map cannot be read");
      return { stays: [flow], returns: [may] };
    }
    let left = flow.set;
    const stays: Flow[] = [];
    const returns: Flow[] = [];
    for (const element of map.elements) {
      const [wanted, verdict] = Array.isArray(element) ? element : [];
      const holds = matchElement(key, wanted, context);
      if (holds === "no") continue;
      const set = intersect(may.set, mayOf(holds, may.set));
      if (set.length === 0) continue;
      if (holds === "maybe") {
        this.#doubt(at, set, "its condition is not known");
      }
      const [kind, target] = isRecord(verdict) ? entryOf(verdict) : [];
      if (kind === undefined || !VERDICTS.has(kind)) {
        this.#anything(at, { ...may, set }, "its verdict map cannot be read");
        continue;
      }
      const way = this.#verdict(at, kind, target, { ...may, set }, depth);
      stays.push(...way.back);
      returns.push(...way.returns);
      left = subtract(left, intersect(sure, yesOf(holds, sure)));
    }
    const missed = sameMarks(may, flow)
      ? [{ ...flow, set: left }]
      : [...less(flow, sure), { ...may, set: intersect(may.set, left) }];
    return { stays: merge([...missed, ...stays]), returns };
  }

  #context({ family, table, legacy }: NftChain, flow: Flow): Context {
    const { mark, connectionMark } = flow;
    const { ruleset, packet, state } = this.#around;
    const all = flow.set;
    return {
      ...{ ruleset, packet, state, all, mark, connectionMark },
      ...{ family: legacy ? `legacy ${family}` : family, table },
    };
  }

  #drop(what: Drop, set: IntervalSet): void {
    this.#findings.drops.push({ what, set });
  }

  #touch(set: IntervalSet): void {
    this.#findings.touched = unite(this.#findings.touched, set);
  }

  #doubt(at: Drop, set: IntervalSet, why: string): void {
    const { doubts } = this.#findings;
    if (doubts.length < DOUBTS_MAX) {
      doubts.push({ set, what: `${place(at)}: ${why}` });
    }
  }

  #taint(at: Drop, set: IntervalSet, why: string): void {
    this.#findings.taints.push({ set, what: `${place(at)} ${why}` });
  }

  /** From here on, anything may become of the packet. */
  #anything(at: Drop, flow: Flow, why: string): void {
    const unmarked = { mark: NO_BITS, connectionMark: NO_BITS };
    this.#accepted.push({ ...flow, ...unmarked });
    this.#drop(at, flow.set);
    this.#doubt(at, flow.set, why);
  }
}

function entryOf(value: Record<string, unknown>): [string?, unknown?] {
  for (const key in value) return [key, value[key]];
  return [];
}
