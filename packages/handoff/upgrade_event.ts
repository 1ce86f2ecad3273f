import type { HandoffErrorCode } from "./error.ts";

/** Where an upgrade stands, seen from the process that is to be replaced. */
export type UpgradePhase =
  /** The successor loads its code and makes its preparations. */
  | "starting"
  /** `state()` runs. */
  | "freezing"
  /** The state is on its way. */
  | "sending"
  /** The successor has the state and takes it in. */
  | "awaiting-ready"
  /** The successor is ready, and is asked whether it is healthy. */
  | "probing"
  /** The successor is ready and is being told to go. */
  | "committing"
  /** The successor serves. The end. */
  | "committed"
  /** The successor is gone and this process serves on. The end. */
  | "rolled-back";

/** What an upgrader is doing. */
export type UpgraderState =
  /** Before `ready`; `successor` says whether there is a predecessor. */
  | { readonly phase: "loading"; readonly successor: boolean }
  /** This is the running process. */
  | { readonly phase: "serving" }
  /** A successor is on its way. */
  | {
    readonly phase: "upgrading";
    /** The successor's process id; `undefined` until it is started. */
    readonly pid: number | undefined;
    /** How far it has come. */
    readonly step: UpgradePhase;
  }
  /** The successor serves: finish what is open, and exit. */
  | {
    readonly phase: "superseded";
    /** The successor's process id. */
    readonly pid: number;
  }
  /** `close` was called. */
  | { readonly phase: "closed" };

/** What an upgrader tells. */
export type UpgradeEvent =
  /** A successor was started. */
  | {
    readonly type: "started";
    /** The successor's process id. */
    readonly pid: number;
  }
  /** The successor has loaded its code and asks for the state. */
  | {
    readonly type: "prepared";
    /** The successor's process id. */
    readonly pid: number;
  }
  /** `state()` has given the state, and it is on its way. */
  | {
    readonly type: "frozen";
    /** The successor's process id. */
    readonly pid: number;
    /** The length of the state; 0 when there is none. */
    readonly bytes: number;
  }
  /** The successor serves now. */
  | {
    readonly type: "superseded";
    /** The successor's process id. */
    readonly pid: number;
  }
  /** The successor failed and is gone; this process serves on. */
  | {
    readonly type: "rolled-back";
    /** The successor's process id. */
    readonly pid: number;
    /** How far it had come. */
    readonly code: HandoffErrorCode;
    /** Whether `state()` had been called. */
    readonly frozen: boolean;
    /** What went wrong, in words. */
    readonly reason: string;
  }
  /** This process begins to finish what is open. */
  | { readonly type: "draining" }
  /** Nothing is open any more. */
  | {
    readonly type: "drained";
    /** Whether something had to be cut. */
    readonly cut: boolean;
  }
  /** The number of predecessors that finish their work has changed. */
  | {
    readonly type: "predecessors";
    /** How many are left. */
    readonly draining: number;
  }
  /** In a successor: the predecessor's state is here, whole. */
  | {
    readonly type: "state-received";
    /** The length of the state; 0 when there is none. */
    readonly bytes: number;
  }
  /** This process serves now. */
  | {
    readonly type: "serving";
    /** Whether it took over from a predecessor or began afresh. */
    readonly reason: "took-over" | "first" | "predecessor-gone";
  };
