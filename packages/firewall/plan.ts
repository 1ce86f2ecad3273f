import type { LayerName, Outcome } from "./outcome.ts";
import type { AccessRequest } from "./request.ts";
import type { AskOptions } from "./runner.ts";

/** One command of a plan. */
export interface PlanStep {
  /** The layer that it asks. */
  readonly layer: LayerName;
  /** The command and its arguments: no shell, nothing to quote. */
  readonly argv: readonly string[];
  /** What the command reads; undefined for nothing. */
  readonly stdin: string | undefined;
  /** What it does, for a person who is asked for consent. */
  readonly sentence: string;
  /** What an encoded argument of the command says, for reading. */
  readonly script?: string;
  /**
   * The command that takes exactly this back, on Windows, macOS and FreeBSD:
   * to be run in the other order. Left out where that of another step does.
   */
  readonly undo?: PlanStep;
}

/** What a plan changes, found by asking about every port before and after. */
export interface PlanProof {
  /**
   * How many combinations of port, protocol, family and range of sources were
   * compared.
   */
  readonly compared: number;
  /** Those that change, such as `tcp ipv4 8080 from 10.0.0.0/8`. */
  readonly changed: readonly string[];
}

/** How a plan fared on a copy of the firewall. */
export interface PlanRehearsal {
  /** `left-out` where it could not be tried; a `failed` one is refused. */
  readonly status: "passed" | "failed" | "left-out";
  /** What was seen. */
  readonly why: string;
}

/**
 * What would have to be done so that a connection is let in. A plain object;
 * nothing of it is done.
 */
export type Plan =
  /** It is let in already. */
  | { readonly status: "nothing-to-do"; readonly outcome: Outcome }
  | ReadyPlan
  /** It cannot be told what to do, and why. */
  | {
    readonly status: "refused";
    readonly why: string;
    readonly outcome: Outcome;
  };

/** The commands, to be run in order with the rights of root. */
export interface ReadyPlan {
  /** There is something to do. */
  readonly status: "ready";
  /** Whose rules they are: the tag of the options. */
  readonly tag: string;
  /** The comment of the rules, by which they are found again. */
  readonly mark?: string;
  /** Names this plan among those with the same tag. */
  readonly id?: string;
  /** What was asked. */
  readonly request?: AccessRequest;
  /** After how many seconds it is closed again; left out for never. */
  readonly leaseSeconds?: number;
  /** Whether denials on purpose are overridden. */
  readonly overrideDeny?: boolean;
  /** How it is now. */
  readonly before: Outcome;
  /** How it would be: `would-open`, or why that cannot be promised. */
  readonly after: Outcome;
  /** What it changes, and that it changes nothing else. */
  readonly proof?: PlanProof;
  /** How it fared on a copy, where that was asked for. */
  readonly rehearsal?: PlanRehearsal;
  /** What to run, in this order. */
  readonly steps: readonly PlanStep[];
}

/** Options for {@linkcode planAccess}. */
export interface PlanOptions extends AskOptions {
  /**
   * Whether to open on networks that are marked as public too (Windows).
   *
   * @default {false}
   */
  readonly publicNetworks?: boolean | undefined;
  /**
   * Whether a program may be let in on every port, and with it every script
   * that an interpreter runs, where the system has no narrower rule (macOS).
   *
   * @default {false}
   */
  readonly wholeProgram?: boolean | undefined;
  /**
   * Whose rules they are: 1 to 100 of `A-Z a-z 0-9 . _ : -`, not starting
   * with `-`. Nothing else, for comments are printed unquoted into files that are run at boot.
   *
   * @default {"holdfast"}
   */
  readonly tag?: string | undefined;
  /**
   * After how many seconds the port is closed again, from 10 to 31 536 000.
   * With nftables, iptables and firewalld the kernel, or firewalld, sees to
   * it, even when this program was killed. Left out: it stays open until it
   * is reverted.
   */
  readonly leaseSeconds?: number | undefined;
  /**
   * Opens even what a rule denies on purpose: one that is about this port or
   * this source. It is left where it is, and the accept goes before it.
   *
   * @default {false}
   */
  readonly overrideDeny?: boolean | undefined;
  /**
   * Tries the plan on a copy of the firewall in a network namespace of its own
   * before it is given out, with a real packet; what fails there is refused.
   * It needs unshare, nsenter, ip, mount, bash, and what the plan uses, and
   * takes about a quarter of a second.
   *
   * @default {false}
   */
  readonly rehearse?: boolean | undefined;
}
