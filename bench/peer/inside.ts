// deno-lint-ignore-file no-console -- a bench prints
/** The bench itself, in namespaces of its own; see `../peer.ts`. */
import { openPeerLab, type PeerLab } from "@holdfast/testkit/peer-lab";
import { delay } from "@std/async/delay";
import { inflict, scenarioOf } from "../../tests/netns/_peer_faults.ts";
import { Pair, type PairOptions } from "../../tests/netns/_peer_pair.ts";
import { verdictOf } from "../../tests/netns/_peer_verdict.ts";
import { noMptcp, type Rival, rivalMoves } from "./rival.ts";

const quick = Deno.args.includes("--quick");
const ROUNDS = quick ? 2 : 10;
const SCENARIOS = quick ? 2 : 10;

async function inLab<T>(run: (lab: PeerLab) => Promise<T>): Promise<T> {
  await using lab = await openPeerLab();
  return await run(lab);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return Math.round(sorted[Math.floor(sorted.length / 2)]!);
}

/** Both move at once, a broker is frozen, and one of them drops what comes in. */
async function oursMoves(options: PairOptions) {
  return await inLab(async (lab) => {
    await lab.dropAll("b");
    await using pair = await Pair.start(lab, options);
    await delay(500);
    lab.freeze(0, true);
    const from = pair.said.length;
    await Promise.all([
      lab.move("a", { link: 1, last: 2 }),
      lab.move("b", { link: 1, last: 2 }),
    ]);
    const usableAt = Date.now();
    const told = (host: "a" | "b") =>
      pair.heard(
        host,
        ({ type, event }) =>
          type === "event" && event.event?.type === "resumed",
        from,
      );
    const both = await Promise.all([told("a"), told("b")]);
    const pauseMs = Math.max(...both.map(({ atMs }) => atMs)) - usableAt;
    await delay(300);
    const { lost, bytes } = verdictOf(await pair.finish());
    return { pauseMs, lost, bytes };
  });
}

const figures: Record<string, number> = {};
let bytes = 0;
let lost = 0;
for (
  const [name, options] of [
    ["calls back", { callable: true }],
    ["opens its port", { callable: false, openPort: true }],
  ] as const
) {
  const pauses: number[] = [];
  for (let i = 0; i < ROUNDS; i++) {
    const round = await oursMoves(options);
    pauses.push(round.pauseMs);
    bytes += round.bytes;
    lost += round.lost;
  }
  const key = options.callable
    ? "both_move_pause_ms_p50"
    : "lease_pause_ms_p50";
  figures[key] = median(pauses);
  console.error(
    `holdfast, both move, one ${name}: ${
      pauses.map((ms) => `${ms} ms`).join(", ")
    } after the addresses were usable; ${lost} bytes lost of ${bytes} so far`,
  );
}
figures.both_move_bytes = bytes;
figures.both_move_lost = lost;

let scenariosLost = 0;
for (let seed = 1001; seed <= 1000 + SCENARIOS; seed++) {
  const scenario = scenarioOf(seed);
  const verdict = await inLab(async (lab) => {
    await lab.dropAll("b");
    await using pair = await Pair.start(lab, scenario);
    await delay(300);
    await inflict(lab, pair, scenario.faults);
    return verdictOf(await pair.finish());
  });
  scenariosLost += verdict.lost;
  const whats = scenario.faults.map(({ what }) => what).join(", ");
  console.error(`holdfast, ${whats}: ${verdict.lost} of ${verdict.bytes} lost`);
}
figures.scenarios = SCENARIOS;
figures.scenarios_lost = scenariosLost;

const peers: Record<string, unknown> = {};
const without = await noMptcp();
for (const rival of ["plain", "loop", "socketio", "mptcp"] as Rival[]) {
  if (rival === "mptcp" && without !== undefined) {
    peers.mptcp = `left out: ${without}`;
    console.error(`mptcp: ${peers.mptcp}`);
    continue;
  }
  for (const both of [false, true]) {
    const result = await inLab((lab) => rivalMoves(lab, rival, both));
    const { pauseMs, goesOn, sent, doubled } = result;
    const who = both ? "both move" : "one moves";
    peers[`${rival}_${both ? "both" : "one"}`] = result;
    console.error(
      `${rival}, ${who}: ${
        goesOn ? `stops for ${pauseMs} ms` : "does not go on"
      }, ${result.lost} of ${sent} messages lost, ${doubled} doubled`,
    );
  }
}

const loop = peers.loop_both as { pauseMs: number };
const ratios = {
  pause_vs_loop: Number(
    (figures.both_move_pause_ms_p50! / loop.pauseMs).toPrecision(3),
  ),
};
console.log(JSON.stringify({ bench: "peer", ratios, figures, peers }));
