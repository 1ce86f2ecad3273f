import type { Span } from "./_address.ts";
import { parsePfRule, unreadRule } from "./_pf_rule_parser.ts";
import type { Family } from "./outcome.ts";

/** A condition on a port, with its operator as pf prints it. */
export interface PfPort {
  readonly op: "=" | "!=" | "<" | "<=" | ">" | ">=" | ":" | "><" | "<>";
  /** Undefined for the name of a service that is not known. */
  readonly from: number | undefined;
  readonly to: number | undefined;
}

/** One end of the packets of a rule. */
export interface PfEnd {
  readonly negated: boolean;
  readonly host:
    | { readonly type: "any" }
    | { readonly type: "span"; readonly family: Family; readonly span: Span }
    | { readonly type: "table"; readonly name: string }
    /** `(em0)`, `no-route` and others that only the kernel can tell. */
    | { readonly type: "opaque"; readonly text: string };
  readonly port: PfPort | undefined;
}

/** A rule of pf. */
export interface PfRule {
  /** As it was printed. */
  readonly text: string;
  /** `unread` for a line that is none that this version can read. */
  readonly action: "pass" | "block" | "match" | "anchor" | "unread";
  readonly quick: boolean;
  readonly direction: "in" | "out" | undefined;
  readonly interface:
    | { readonly name: string; readonly negated: boolean }
    | undefined;
  readonly family: Family | undefined;
  readonly protocol: string | undefined;
  readonly from: PfEnd;
  readonly to: PfEnd;
  /** Flags of TCP that must be set, of those that are looked at. */
  readonly flags: { readonly set: string; readonly of: string } | undefined;
  readonly keepsState: boolean;
  readonly label: string | undefined;
  /** For an anchor: its path, `*` at the end for all below it. */
  readonly anchor: string | undefined;
  /** For an anchor without a name: its rules. */
  readonly inner: readonly PfRule[] | undefined;
  /** What else it asks for, and cannot be told from here. */
  readonly conditions: readonly string[];
}

/** Numbers of services, by `tcp/http`. */
export type Services = ReadonlyMap<string, number>;

/** Reads `/etc/services`; pf prints the names of it instead of ports. */
export function parseServices(text: string): Services {
  const services = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [name, where, ...aliases] = line.replace(/#.*/, "").trim()
      .split(/\s+/);
    const [, port, protocol] = /^(\d{1,5})\/(tcp|udp)$/.exec(where ?? "") ?? [];
    if (name === undefined || port === undefined) continue;
    for (const alias of [name, ...aliases]) {
      const key = `${protocol}/${alias}`;
      if (!services.has(key)) services.set(key, Number(port));
    }
  }
  return services;
}

/** Lines that `pfctl -s rules` prints, and that neither pass nor block. */
const NO_FILTER =
  /^(no )?(scrub|scrub-anchor|nat|rdr|binat|nat-anchor|rdr-anchor|binat-anchor|dummynet|dummynet-anchor|ether)\b/;

/** Reads what `pfctl -s rules` prints, one ruleset. Any text is accepted. */
export function parsePfRules(text: string, services: Services): PfRule[] {
  const levels: PfRule[][] = [[]];
  const heads: string[] = [];
  for (const raw of text.split(/\r?\n/)) {
    const line = raw.trim();
    if (line === "" || NO_FILTER.test(line)) continue;
    if (line === "}" && levels.length > 1) {
      const inner = levels.pop()!;
      const head = heads.pop()!;
      levels.at(-1)!.push({ ...parsePfRule(head, services), inner });
    } else if (line.endsWith("{") && line.startsWith("anchor")) {
      heads.push(line.slice(0, -1).trim());
      levels.push([]);
    } else levels.at(-1)!.push(parsePfRule(line, services));
  }
  // A block that does not end is not all of it.
  while (levels.length > 1) {
    levels.pop();
    levels.at(-1)!.push(unreadRule(heads.pop()!));
  }
  return levels[0]!;
}
