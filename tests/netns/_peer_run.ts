/**
 * Runs in namespaces of its own (`unshare -Urn`): both hosts change address,
 * gateway and interface at once in mid-transfer, while one broker is frozen and
 * host b lets nothing in but what answers it.
 */
import { openPeerLab } from "@holdfast/testkit/peer-lab";
import { delay } from "@std/async/delay";
import { Pair } from "./_peer_pair.ts";
import { note, print, verdictOf } from "./_peer_verdict.ts";

const way = Deno.args[0] ?? "call";
await using lab = await openPeerLab();
await lab.dropAll("b");
await using pair = await Pair.start(lab, {
  callable: way !== "lease",
  openPort: way === "lease",
  withoutReplay: way === "loss",
});
await delay(500);
lab.freeze(0, true);
const from = pair.said.length;
await Promise.all([
  lab.move("a", { link: 1, last: 2 }),
  lab.move("b", { link: 1, last: 2 }),
]);
const usableAt = Date.now();
const resumed = (
  { type, event }: { type: string; event?: { event?: { type: string } } },
) => type === "event" && event?.event?.type === "resumed";
const both = await Promise.all([
  pair.heard("a", resumed, from),
  pair.heard("b", resumed, from),
]);
const pauseMs = Math.max(...both.map(({ atMs }) => atMs)) - usableAt;
await delay(500);
const result = await pair.finish();
const verdict = verdictOf(result);
if (Deno.env.get("HOLDFAST_VERBOSE")) {
  for (const { host, atMs, line } of pair.said) {
    note(host, atMs - usableAt, JSON.stringify(line).slice(0, 400));
  }
}
print(JSON.stringify({ way, pauseMs, ...verdict }));
