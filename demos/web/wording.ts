/** Events in the words of the page: `describe` of the main demo, and how they feel. */
import type { PeerEvent } from "@holdfast/holdfast";
import { describe } from "../main/describe.ts";
import type { Note } from "./view.ts";

/** A line for an event; nothing for one that is no news. */
export function describeFor(event: PeerEvent): string | undefined {
  return describe(event)?.replaceAll("mqtt://", "");
}

/** Whether it is good. */
export function toneOf(event: PeerEvent): Note["kind"] {
  const inner = event.type === "stream" || event.type === "signalling"
    ? event.event.type
    : event.type;
  switch (inner) {
    case "resumed":
    case "attached":
    case "broker-up":
    case "peer-connected":
      return "good";
    case "detached":
    case "redial-failed":
    case "lost":
    case "slow":
    case "broker-down":
      return "trouble";
    default:
      return "news";
  }
}
