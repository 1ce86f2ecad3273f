import type { LayerName, Outcome } from "./outcome.ts";
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

/**
 * What would have to be done so that a connection is let in. A plain object;
 * nothing of it is done.
 */
export type Plan =
  /** It is let in already. */
  | { readonly status: "nothing-to-do"; readonly outcome: Outcome }
  /** The commands, to be run in order with the rights of root. */
  | {
    readonly status: "ready";
    /** The mark of the rules: their comment, by which they are found again. */
    readonly tag: string;
    /** How it is now. */
    readonly before: Outcome;
    /**
     * How it would be: `would-open` where the new ruleset was evaluated,
     * `unknown` where a manager (ufw, firewalld) writes the rules.
     */
    readonly after: Outcome;
    readonly steps: readonly PlanStep[];
  }
  /** It cannot be told what to do, and why. */
  | {
    readonly status: "refused";
    readonly why: string;
    readonly outcome: Outcome;
  };

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
   * The mark of the rules: 1 to 100 of `A-Z a-z 0-9 . _ : -`, not starting
   * with `-`. Nothing else, for comments are printed unquoted into files that are run at boot.
   *
   * @default {"holdfast"}
   */
  readonly tag?: string | undefined;
}
