/** The counters: what was sent and received, lost and doubled. */
import type { Direction, View } from "../view.ts";
import { byId, setData, setText } from "./dom.ts";
import { bytes, duration } from "./format.ts";

/** Shows them. */
export function showCounters(
  view: View,
  rate: { readonly up: number; readonly down: number },
): void {
  const { up, down } = view;
  const lost = up.lost + down.lost;
  const doubled = up.doubled + down.doubled;
  const corrupt = up.corrupt + down.corrupt;
  const checked = bytes(up.received + down.received);
  show("lost", String(lost), `of ${checked} compared`);
  setData(byId("lost"), "bad", lost > 0 ? "yes" : "no");
  show("doubled", String(doubled), `${corrupt} wrong or out of place`);
  setData(byId("doubled"), "bad", doubled + corrupt > 0 ? "yes" : "no");
  const { silentSince, now, resumed } = view;
  const pause = silentSince === undefined
    ? `carried on ${resumed === 1 ? "once" : `${resumed} times`}`
    : `now: ${duration(now - silentSince)}`;
  show("pause", duration(view.longestPauseMs), pause);
  showDirection("up", up, rate.up);
  showDirection("down", down, rate.down);
  setText(byId("brief"), `${bytes(lost)} lost`);
}

function showDirection(id: string, direction: Direction, rate: number): void {
  const { sent, received } = direction;
  setData(byId(id), "received", String(received));
  setData(byId(id), "sent", String(sent));
  show(id, bytes(received), `of ${bytes(sent)} sent, ${bytes(rate)}/s`);
}

function show(id: string, value: string, note: string): void {
  const element = byId(id);
  setText(element.querySelector("strong")!, value);
  setText(element.querySelector("small")!, note);
}
