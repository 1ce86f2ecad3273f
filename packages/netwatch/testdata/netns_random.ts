import { assertEquals } from "@std/assert";
import {
  diffSnapshots,
  type NetworkSnapshot,
  readSnapshot,
  watchNetwork,
} from "../mod.ts";
import { cables, tryIp, until } from "./netns_tools.ts";

/** Numbers below one, the same ones for the same seed (mulberry32). */
function random(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = Math.imul(a ^ (a >>> 15), a | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

/** Some change of the network; many of them fail, and then change nothing. */
function anyChange(next: () => number): string {
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
export async function randomRun(seed: number, changes: number): Promise<void> {
  const next = random(seed);
  await cables();
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
  const kinds = new Set<string>();
  for (let done = 0, tries = 0; done < changes && tries < 2_000; tries++) {
    const command = anyChange(next);
    const before = events.length;
    if (!await tryIp(command)) continue;
    const truth = await readSnapshot();
    if (diffSnapshots(known, truth).length === 0) continue;
    done++;
    kinds.add(command.split(" ").slice(0, 2).join(" "));
    await until(
      () => diffSnapshots(watch.state, truth).length === 0,
      () => `seed ${seed}, change ${done} was missed: ip ${command}`,
    );
    assertEquals(events.length > before, true, `untold: ip ${command}`);
    known = truth;
  }
  assertEquals(diffSnapshots(watch.state, await readSnapshot()), []);
  assertEquals(watch.stats().degraded, []);
  assertEquals(kinds.size > 5, true, `seed ${seed}: too few kinds of change`);
}
