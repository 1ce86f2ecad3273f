import { assert, assertEquals } from "@std/assert";
import { type PathEvent, type PathHandle, watchNetwork } from "../mod.ts";
import { cables, ip, sh, tryIp } from "./netns_tools.ts";
import { random } from "./netns_random.ts";

/** Both ends of each connection, as a program would tell them. */
const PATHS: readonly (readonly [local: string, remote: string])[] = [
  ["10.77.0.2", "10.77.0.1"],
  ["10.77.0.2", "198.18.0.1"],
  ["10.77.0.2", "198.18.5.5"],
  ["10.78.0.2", "10.78.0.1"],
  ["10.78.0.2", "198.18.0.1"],
  ["10.77.0.50", "203.0.113.1"],
  ["10.77.0.2", "10.78.0.2"],
  ["0.0.0.0", "198.18.0.1"],
  ["127.0.0.1", "127.0.0.1"],
  ["::ffff:10.78.0.2", "::ffff:198.18.5.5"],
  ["2001:db8:77::2", "2001:db8:77::1"],
  ["2001:db8:77::2", "2001:db8:ffff::1"],
];

/** What happens, and what takes it back; each is there or not at any time. */
const CHANGES: readonly (readonly [make: string, unmake: string])[] = [
  ["route add default via 10.77.0.9 metric 10", "route del default metric 10"],
  ["route add default via 10.78.0.1 metric 5", "route del default metric 5"],
  ["route add 198.18.5.0/24 via 10.77.0.7", "route del 198.18.5.0/24"],
  ["route add 198.18.5.5 via 10.78.0.7", "route del 198.18.5.5"],
  ["route add 0.0.0.0/1 dev vA1", "route del 0.0.0.0/1"],
  ["route add 128.0.0.0/1 via 10.78.0.3", "route del 128.0.0.0/1"],
  ["route add unreachable 203.0.113.0/24", "route del 203.0.113.0/24"],
  ["route add blackhole 198.18.0.1", "route del 198.18.0.1"],
  ["route add 10.77.0.1 via 10.78.0.4", "route del 10.77.0.1"],
  [
    "rule add from 10.78.0.2 table 100 priority 50",
    "rule del priority 50",
  ],
  ["-6 rule add from all table 100 priority 60", "-6 rule del priority 60"],
  ["addr del 10.77.0.2/24 dev vA0", "addr add 10.77.0.2/24 dev vA0"],
  ["addr del 10.78.0.2/24 dev vA1", "addr add 10.78.0.2/24 dev vA1"],
  ["addr add 10.77.0.50/24 dev vA0", "addr del 10.77.0.50/24 dev vA0"],
  [
    "addr del 2001:db8:77::2/64 dev vA0",
    "addr add 2001:db8:77::2/64 dev vA0 nodad",
  ],
  ["link set vB0 down", "link set vB0 up"],
  ["link set vA1 down", "link set vA1 up"],
  ["link set vA1 mtu 1400", "link set vA1 mtu 1500"],
  ["-6 route add default via 2001:db8:77::9", "-6 route del default"],
  [
    "-6 route add 2001:db8:ffff::/48 via 2001:db8:77::5",
    "-6 route del 2001:db8:ffff::/48",
  ],
  ["link add vZ type veth peer name vY", "link del vZ"],
  ["addr add 10.99.0.1/24 dev lo", "addr del 10.99.0.1/24 dev lo"],
];

/** How the kernel itself says that a path stands. */
type Standing = "lost" | "no way" | `by ${string}`;

async function standings(): Promise<Standing[]> {
  const plain = (text: string) => text.replace("::ffff:", "");
  const asked = PATHS.map(([local, remote]) =>
    `ip -o route get ${plain(remote)}` +
    (local === "0.0.0.0" ? "" : ` from ${plain(local)}`) + " 2>/dev/null"
  );
  const said = await sh(
    `ip -o addr show; echo ---; ip -o link show; echo ---
${asked.map((command) => `echo "@$(${command})"`).join("\n")}`,
  );
  const [addresses = "", links = "", ways = ""] = said.split("---\n");
  const answers = ways.split("@").slice(1);
  return PATHS.map(([local, remote], i) => {
    const owner = local === "0.0.0.0"
      ? "lo"
      : addresses.split("\n").find((line) => line.includes(` ${plain(local)}/`))
        ?.split(" ")[1];
    const link = links.split("\n").find((line) =>
      line.split(": ")[1]?.split("@")[0] === owner
    );
    if (owner === undefined || !link?.includes("LOWER_UP")) return "lost";
    // What loopback is reached by was never in question.
    if (remote === "127.0.0.1") return "by lo";
    const way = answers[i]?.split("cache")[0] ?? "";
    const dev = / dev (\S+)/.exec(way)?.[1];
    if (dev === undefined || /^(unreachable|blackhole|prohibit)/.test(way)) {
      return "no way";
    }
    return `by ${dev} ${/ via (\S+)/.exec(way)?.[1] ?? ""}`.trim() as Standing;
  });
}

/** What the handle says in the same words. */
function standingOf({ state, path }: PathHandle): Standing {
  if (state.status === "lost") return "lost";
  if (path.remoteAddr === "127.0.0.1") return "by lo";
  const { via } = state;
  return via === undefined
    ? "no way"
    : `by ${via.interface} ${via.gateway ?? ""}`.trim() as Standing;
}

/**
 * Connections × changes, in an order that follows from the seed: exactly those
 * whose standing the kernel says to be another hear of it, and hear the right.
 */
export async function matrixRun(seed: number, rounds: number): Promise<void> {
  const next = random(seed);
  await cables();
  await ip("addr add 10.77.0.2/24 dev vA0");
  await ip("addr add 10.78.0.2/24 dev vA1");
  await ip("addr add 2001:db8:77::2/64 dev vA0 nodad");
  for (const name of ["vA0", "vB0", "vA1", "vB1"]) {
    await ip(`link set ${name} up`);
  }
  await ip("route add default via 10.77.0.1 metric 20");
  await ip("route add default via 10.78.0.9 table 100");
  // Only hints may find a change: the safety nets are out of reach.
  await using watch = await watchNetwork({
    pollMs: 600_000,
    fullReadMs: 600_000,
  });
  const paths = PATHS.map(([localAddr, remoteAddr]) =>
    watch.track({ localAddr, remoteAddr })
  );
  const heard = paths.map(() => [] as PathEvent[]);
  paths.forEach((path, i) => path.on("*", (event) => heard[i]!.push(event)));
  await watch.refresh();
  assertEquals(heard.flat(), [], "nothing has changed yet");
  let before = await standings();
  const made = new Set<number>();
  let [cells, told] = [0, 0];
  for (let round = 0; round < rounds; round++) {
    const which = Math.floor(next() * CHANGES.length);
    const command = CHANGES[which]![made.has(which) ? 1 : 0];
    // What the loss of a link took along cannot be taken back: it is gone.
    await tryIp(command);
    if (!made.delete(which)) made.add(which);
    const after = await standings();
    await watch.refresh();
    for (const [i, path] of paths.entries()) {
      const at = `round ${round}, ${command}: ${PATHS[i]!.join(" → ")} ${
        before[i]
      } → ${after[i]}, heard ${heard[i]!.map(({ type }) => type).join()}`;
      cells++;
      told += heard[i]!.length > 0 ? 1 : 0;
      assertEquals(standingOf(path), after[i], at);
      checkHeard(heard[i]!, before[i]!, after[i]!, at);
      heard[i] = [];
    }
    before = after;
  }
  assert(cells === rounds * PATHS.length && told > rounds / 4, `${told} told`);
}

function checkHeard(
  events: readonly PathEvent[],
  before: Standing,
  after: Standing,
  at: string,
): void {
  assertEquals(events.length > 0, before !== after, at);
  for (const [i, event] of events.entries()) {
    if (i > 0) assertEquals(event.before, events[i - 1]!.after, at);
  }
  const last = events.at(-1)?.type;
  if (last === undefined) return;
  const right = after === "lost"
    ? last === "path-lost"
    : before === "lost"
    ? events.some(({ type }) => type === "path-restored")
    : last === "path-changed" || last === "path-restored";
  assert(right, at);
}
