import type { Span } from "./_address.ts";
import type { TableEntry } from "./_other_match.ts";
import type { Family } from "./outcome.ts";

/** What a rule of ipfw does with the packets that it matches. */
export type IpfwAction =
  | { readonly type: "allow" | "deny" | "continue" }
  | { readonly type: "skipto"; readonly target: number }
  | { readonly type: "check-state"; readonly flow: string }
  /** It hands them to something that only the kernel knows. */
  | { readonly type: "opaque"; readonly text: string };

/** An address of a rule. */
export type IpfwHost =
  | { readonly type: "any" | "me" | "me6" }
  | { readonly type: "span"; readonly family: Family; readonly span: Span }
  | { readonly type: "table"; readonly name: string }
  | { readonly type: "opaque"; readonly text: string };

/** Ports from `lo` to `hi`, both included. */
export interface IpfwPorts {
  readonly lo: number;
  readonly hi: number;
}

/** One condition; those of one `{ a or b }` stand together. */
export type IpfwTest =
  & { readonly negated: boolean }
  & (
    | { readonly on: "proto"; readonly name: string }
    | { readonly on: "src" | "dst"; readonly hosts: readonly IpfwHost[] }
    | {
      readonly on: "src-port" | "dst-port";
      readonly ports: readonly IpfwPorts[] | undefined;
    }
    | { readonly on: "in" | "out" | "setup" | "established" }
    | { readonly on: "via" | "recv" | "xmit"; readonly name: string }
    | { readonly on: "tcpflags"; readonly flags: string }
    /** One that always, or never, holds for what is asked here. */
    | { readonly on: "always" | "never" }
    | { readonly on: "opaque"; readonly text: string }
  );

/** A rule of ipfw. */
export interface IpfwRule {
  readonly number: number;
  readonly set: number;
  /** Its set is switched off. */
  readonly disabled: boolean;
  readonly action: IpfwAction;
  /** All must hold; of each, one. */
  readonly tests: readonly (readonly IpfwTest[])[];
  /** The name of the flows that it lets go on; undefined for none. */
  readonly keeps: string | undefined;
  /** Whether it also looks for such flows, before its own conditions. */
  readonly looksUp: boolean;
  readonly comment: string | undefined;
  /** As it was printed, without the number. */
  readonly text: string;
}

/** Tables by name; undefined for one that does not hold addresses. */
export type IpfwTables = ReadonlyMap<
  string,
  readonly TableEntry[] | undefined
>;
