/**
 * What the session layer does with transports, as the search of `_search.ts`
 * sees it: the order of `_client_session.ts` and `_incoming.ts`, in which each
 * step may be the last before something breaks.
 */

/** The client is side 0. */
export type Side = 0 | 1;
export const SIDES: readonly Side[] = [0, 1];

/** What there is of transports. */
export type Phase =
  /** Both ends are on one transport. */
  | "up"
  /** One end knows that it broke; the other still hears what was under way. */
  | "client cut"
  | "server cut"
  | "down"
  /** RESUME is under way; the server may still hear the old transport. */
  | "asked"
  | "asked, old up"
  /** RESUME is under way while the old transport works: make before break. */
  | "replacing"
  /** RESUMED is under way; the client may still hear the old transport. */
  | "granted"
  | "granted, old up"
  /** RESUMED is under way, and the server sends already, as over TLS. */
  | "granted early"
  /** The client is attached, and CONFIRM under way. */
  | "confirming";

/** One step; what it does is done in the order of these fields. */
export interface Rule {
  readonly name: string;
  readonly to: Phase;
  /** How many of the things that may go wrong it is. */
  readonly costs: 0 | 1;
  readonly detaches: readonly Side[];
  /** Who takes its position now, for the handshake. */
  readonly tells: "client" | "server" | undefined;
  readonly attaches: readonly Side[];
  /** Whether what each side sent before is still on its way. */
  readonly keeps: readonly [boolean, boolean];
}

const NONE: Omit<Rule, "name" | "to"> = {
  costs: 0,
  detaches: [],
  tells: undefined,
  attaches: [],
  keeps: [false, false],
};
const FAILS: Rule = {
  ...NONE,
  name: "the handshake fails",
  to: "down",
  costs: 1,
};

/** What can happen in each phase; first what happens when nothing goes wrong. */
export const RULES: Readonly<Record<Phase, readonly Rule[]>> = {
  "up": [
    { ...NONE, name: "both see a cut", to: "down", costs: 1, detaches: [0, 1] },
    {
      ...NONE,
      name: "client sees a cut",
      to: "client cut",
      costs: 1,
      detaches: [0],
      keeps: [true, false],
    },
    {
      ...NONE,
      name: "server sees a cut",
      to: "server cut",
      costs: 1,
      detaches: [1],
      keeps: [false, true],
    },
    {
      ...NONE,
      name: "client replaces",
      to: "replacing",
      costs: 1,
      tells: "client",
      keeps: [true, true],
    },
  ],
  "client cut": [
    {
      ...NONE,
      name: "client asks",
      to: "asked, old up",
      tells: "client",
      keeps: [true, false],
    },
    { ...NONE, name: "server sees it too", to: "down", detaches: [1] },
  ],
  "server cut": [
    { ...NONE, name: "client sees it too", to: "down", detaches: [0] },
  ],
  "down": [{ ...NONE, name: "client asks", to: "asked", tells: "client" }],
  "asked": [
    { ...NONE, name: "server grants", to: "granted", tells: "server" },
    {
      ...NONE,
      name: "server grants early",
      to: "granted early",
      tells: "server",
      attaches: [1],
    },
    FAILS,
  ],
  "asked, old up": [
    // The old transport is fenced, and only then the position taken.
    {
      ...NONE,
      name: "server grants",
      to: "granted",
      detaches: [1],
      tells: "server",
    },
    { ...NONE, name: "server sees it too", to: "asked", detaches: [1] },
  ],
  "replacing": [
    {
      ...NONE,
      name: "server grants",
      to: "granted, old up",
      detaches: [1],
      tells: "server",
      keeps: [false, true],
    },
    { ...FAILS, to: "up", keeps: [true, true] },
  ],
  "granted": [
    { ...NONE, name: "client attaches", to: "confirming", attaches: [0] },
    FAILS,
  ],
  "granted, old up": [
    {
      ...NONE,
      name: "client attaches",
      to: "confirming",
      detaches: [0],
      attaches: [0],
    },
    { ...NONE, name: "client sees the end", to: "granted", detaches: [0] },
  ],
  "granted early": [
    {
      ...NONE,
      name: "client attaches",
      to: "up",
      attaches: [0],
      keeps: [false, true],
    },
    { ...FAILS, detaches: [1] },
  ],
  "confirming": [
    {
      ...NONE,
      name: "server attaches",
      to: "up",
      attaches: [1],
      keeps: [true, false],
    },
    { ...FAILS, detaches: [0] },
  ],
};

interface Wires {
  /** Whether what a side sends now goes anywhere. */
  readonly takes: readonly [boolean, boolean];
  /** Whether what a side sent arrives now. */
  readonly brings: readonly [boolean, boolean];
}
const wires = (
  takes: readonly [boolean, boolean],
  brings: readonly [boolean, boolean],
): Wires => ({ takes, brings });
const NO = [false, false] as const;

/** What the wires do in each phase. */
export const WIRES: Readonly<Record<Phase, Wires>> = {
  "up": wires([true, true], [true, true]),
  "client cut": wires(NO, [true, false]),
  "server cut": wires(NO, [false, true]),
  "down": wires(NO, NO),
  "asked": wires(NO, NO),
  "asked, old up": wires(NO, [true, false]),
  "replacing": wires([true, true], [true, true]),
  "granted": wires(NO, NO),
  "granted, old up": wires(NO, [false, true]),
  "granted early": wires([false, true], NO),
  "confirming": wires([true, false], NO),
};
