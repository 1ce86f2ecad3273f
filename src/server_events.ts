import type { UpgradeEvent } from "@holdfast/handoff";
import type { AcceptEvent } from "@holdfast/recovery";
import type { ResumeEvent, ResumeServerEvent } from "@holdfast/resume";
import type { PeerFirewallEvent } from "./peer_events.ts";

/** What happens to a server and all its parts; each event says why. */
export type ServerEvent =
  | {
    /** Something happened to its sessions as a whole. */
    readonly type: "session";
    /** What happened. */
    readonly event: ResumeServerEvent;
  }
  | {
    /** Something happened to one stream. */
    readonly type: "connection";
    /** The public id of the session. */
    readonly sid: string;
    /** What happened. */
    readonly event: ResumeEvent;
  }
  | {
    /** Accepting is in trouble, or no more. */
    readonly type: "accept";
    /** What happened. */
    readonly event: AcceptEvent;
  }
  | {
    /** This process is being replaced, or replaces another one. */
    readonly type: "handoff";
    /** What happened. */
    readonly event: UpgradeEvent;
  }
  | {
    /** A handler threw; its connection was aborted. */
    readonly type: "handler-failed";
    /** The public id of the session. */
    readonly sid: string;
    /** The message of the error. */
    readonly reason: string;
  }
  | {
    /** This process was to be replaced, and was not; it serves on. */
    readonly type: "upgrade-failed";
    /** The message of the error. */
    readonly reason: string;
  }
  | PeerFirewallEvent;
