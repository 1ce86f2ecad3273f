import { assertEquals } from "@std/assert";
import { delay } from "@std/async";
import { overlay } from "../_overlay.ts";
import {
  diffSnapshots,
  type NetworkSnapshot,
  readSnapshot,
  watchNetwork,
} from "../mod.ts";
import { cables, Neighbour, tryIp, until } from "./netns_tools.ts";

/** Numbers below one, the same ones for the same seed (mulberry32). */
export function random(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/**
 * Some change of the network; many of them fail, and then change nothing.
 * `elsewhere` is a process in another namespace.
 */
function anyChange(next: () => number, elsewhere: number): string {
  const pick = <T>(...items: readonly T[]): T =>
    items[Math.floor(next() * items.length)]!;
  const i = pick(0, 1);
  const nic = pick(`vA${i}`, `vB${i}`, `vA${i}`);
  const hop = `10.${77 + i}.0.${pick(1, 3, 7)}`;
  const verb = pick("add", "replace", "del", "replace");
  const metric = pick("", " metric 50", " metric 600");
  return pick(
    () =>
      `addr ${pick("add", "del")} 10.${77 + i}.0.${pick(2, 50)}/24 dev vA${i}`,
    () =>
      `addr ${pick("add", "del")} 2001:db8:${i}::${
        pick(2, 5)
      }/64 dev vA${i} nodad`,
    () => `link set ${nic} ${pick("up", "up", "down")}`,
    () => `link set ${nic} mtu ${pick(1300, 1400, 1500)}`,
    () => `route ${verb} default via ${hop}${metric}`,
    () => `route ${verb} default dev vA${i}${metric}`,
    () => `-6 route ${verb} default via 2001:db8:${i}::1${metric}`,
    () =>
      `route ${pick("add", "del")} ${
        pick("0.0.0.0/1", "128.0.0.0/1")
      } via ${hop}`,
    () => `route ${verb} default via ${hop} table ${pick(77, 100)}`,
    () => `route ${verb} blackhole default metric 900`,
    () =>
      `rule ${pick("add", "del")} from all table ${pick(77, 100)} priority 50`,
    () =>
      `-6 rule ${pick("add", "del")} from all table ${pick(77, 100)} priority ${
        pick(50, 60)
      }`,
    () =>
      `route ${verb} default metric ${pick(5, 70)} nexthop via 10.77.0.${
        pick(1, 3)
      } weight ${pick(1, 2)} nexthop via 10.78.0.1 weight 3`,
    () => `link set vX netns ${elsewhere}`,
    () =>
      `neigh replace ${hop} lladdr 02:00:00:00:00:0${pick(1, 2)} dev vA${i}`,
    () => `nexthop ${pick("replace", "del")} id 9 via ${hop} dev vA${i}`,
    () => `route ${verb} default nhid 9 metric 5`,
    () => `link ${pick("add vX type veth peer name vY", "del vX")}`,
    () => `link set ${pick("vX name vZ", "vZ name vX")}`,
  )();
}

/**
 * Makes `changes` real changes from the seed. Each must be published by events
 * alone before the next one comes, whichever kind it is.
 */
export async function randomRun(
  seed: number,
  changes: number,
  holdMs: number,
): Promise<void> {
  const next = random(seed);
  await cables();
  await using elsewhere = await Neighbour.start();
  for (const i of [0, 1]) {
    await tryIp(`addr add 10.${77 + i}.0.2/24 dev vA${i}`);
    await tryIp(`link set vA${i} up`);
    await tryIp(`link set vB${i} up`);
  }
  await using watch = await watchNetwork({
    pollMs: 600_000,
    fullReadMs: 600_000,
  });
  const events: unknown[] = [];
  watch.on("*", (event) => events.push(event));
  let known: NetworkSnapshot = watch.state;
  let equal = 0;
  watch.on("*", (event) => {
    if (!("before" in event) || !("after" in event)) return;
    if (JSON.stringify(event.before) === JSON.stringify(event.after)) equal++;
  });
  const kinds = new Set<string>();
  for (let done = 0, tries = 0; done < changes; tries++) {
    if (tries > changes * 40) throw new Error(`seed ${seed}: nothing changes`);
    const command = anyChange(next, elsewhere.pid);
    const before = events.length;
    if (!await tryIp(command)) continue;
    const truth = overlay(known, await readSnapshot());
    if (diffSnapshots(known, truth).length === 0) continue;
    // Nobody is told of a neighbour: who answers is found when it is looked for.
    if (command.startsWith("neigh")) await watch.refresh();
    done++;
    kinds.add(kindOf(command));
    await until(
      () => diffSnapshots(watch.state, truth).length === 0,
      () => `seed ${seed}, change ${done} was missed: ip ${command}`,
    );
    assertEquals(events.length > before, true, `untold: ip ${command}`);
    known = truth;
    if (holdMs > 0) await delay(holdMs);
  }
  const end = overlay(watch.state, await readSnapshot());
  assertEquals(diffSnapshots(watch.state, end), []);
  assertEquals(equal, 0);
  assertEquals(watch.stats().degraded, []);
  const least = changes < 100 ? 8 : 14;
  const seen = [...kinds].sort().join(", ");
  assertEquals(kinds.size >= least, true, `seed ${seed}: only ${seen}`);
}

/** What a command changes, for the count of kinds. */
function kindOf(command: string): string {
  const words = command.split(" ");
  const has = (word: string) => words.includes(word);
  if (words[0] === "link") {
    return `link ${
      ["mtu", "name", "netns", "up", "down"].find(has) ?? words[1]
    }`;
  }
  if (words[0] === "-6") return `-6 ${words[1]}`;
  if (words[0] !== "route") return words[0]!;
  if (has("blackhole")) return "route blackhole";
  if (has("weight")) return "route multipath";
  if (has("nhid")) return "route nexthop object";
  if (has("table")) return "route in a table";
  if (words[2] !== "default") return "half of the Internet";
  return has("metric") ? "route metric" : has("via") ? "gateway" : "on link";
}
