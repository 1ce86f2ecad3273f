import type { NetworkEvent } from "./network_event.ts";

const NO_CHANGE: ReadonlySet<string> = new Set<NetworkEvent["type"]>([
  "woke",
  "clock-step",
  "stalled",
  "degraded",
  "recovered",
  "settled",
]);

/** Whether an event of that type tells that the network is another. */
export function isChange(type: string): boolean {
  return !NO_CHANGE.has(type);
}
