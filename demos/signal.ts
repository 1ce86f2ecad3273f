// deno-lint-ignore-file no-console -- a demo prints
/**
 * Two ends talk over three brokers while two of the brokers are killed.
 *
 * Nothing outside 127.0.0.1, no root, nothing installed, a few seconds:
 *
 * ```sh
 * deno run --ignore-env --allow-net=127.0.0.1 --allow-run demos/signal.ts
 * ```
 *
 * `--allow-run` starts this same Deno three times, as embedded brokers, which
 * end with this process however it ends. The exit code is 1 when a message was
 * lost, or delivered twice.
 *
 * @module
 */
import {
  createIdentity,
  openSignalling,
  type Signalling,
} from "@holdfast/signal";
import { type BrokerProcess, startBroker } from "../tools/broker/spawn.ts";

const MESSAGES = 300;
const EVERY_MS = 8;

/** Runs the demo; resolves with the exit code. */
export async function main(): Promise<number> {
  await using stack = new AsyncDisposableStack();
  const brokers = await Promise.all([1, 2, 3].map(() => startBroker()));
  for (const broker of brokers) stack.use(broker);
  const urls = brokers.map(({ url }) => url);
  console.log(`Three brokers, each a process: ${urls.join(" ")}`);

  const ann = stack.use(await openEnd(urls));
  const bob = stack.use(await openEnd(urls));
  console.log(`Ann is ${ann.id}\nBob is ${bob.id}`);
  showBrokers("Ann", ann);
  showBrokers("Bob", bob);
  // Before the first message, so that each has three ways to go.
  await Promise.all([allUp(ann), allUp(bob)]);

  const started = performance.now();
  const toBob = reader(bob, started);
  const toAnn = reader(ann, started);
  const kills = killTwo(brokers);
  const failures = await Promise.all([send(ann, bob), send(bob, ann)]);
  await kills;
  const ok = [
    report("Ann to Bob", ann, bob, toBob),
    report("Bob to Ann", bob, ann, toAnn),
  ].every(Boolean) && failures.every((count) => count === 0);
  console.log(
    ok
      ? "Nothing lost, nothing doubled, with one broker of three left."
      : "FAILED: messages were lost or doubled.",
  );
  return ok ? 0 : 1;
}

async function openEnd(brokers: readonly string[]): Promise<Signalling> {
  return await openSignalling({ identity: await createIdentity(), brokers });
}

/** One line for each loss, not for each attempt to come back. */
function showBrokers(name: string, end: Signalling): void {
  const lost = new Set<string>();
  end.on("broker-down", ({ broker, reason }) => {
    if (lost.has(broker)) return;
    lost.add(broker);
    console.log(`  ${name} lost ${broker} (${reason}) and goes on`);
  });
  end.on("broker-up", ({ broker }) => lost.delete(broker));
}

async function allUp(end: Signalling): Promise<void> {
  while (end.state.brokers.some(({ status }) => status !== "up")) {
    await end.once("broker-up");
  }
}

/** Kills one broker after a third of the time, and a second after two. */
async function killTwo(brokers: readonly BrokerProcess[]): Promise<void> {
  for (const broker of brokers.slice(0, 2)) {
    await pause(MESSAGES * EVERY_MS / 3);
    console.log(`kill -9 ${broker.pid}, the broker ${broker.url}`);
    await broker.kill();
  }
}

/** Sends all; resolves with how many were not acknowledged. */
async function send(from: Signalling, to: Signalling): Promise<number> {
  let failures = 0;
  const sends: Promise<void>[] = [];
  for (let i = 0; i < MESSAGES; i++) {
    const bytes = new TextEncoder().encode(String(i));
    sends.push(
      from.send(to.id, bytes).catch((error) => {
        failures++;
        console.log(`  ${(error as Error).message}`);
      }),
    );
    await pause(EVERY_MS);
  }
  await Promise.all(sends);
  return failures;
}

interface Received {
  readonly times: number[];
  longestGapMs: number;
}

function reader(end: Signalling, started: number): Received {
  const received: Received = {
    times: Array(MESSAGES).fill(0),
    longestGapMs: 0,
  };
  let before = started;
  (async () => {
    for await (const { bytes } of end.receive()) {
      received.times[Number(new TextDecoder().decode(bytes))]!++;
      const now = performance.now();
      received.longestGapMs = Math.max(received.longestGapMs, now - before);
      before = now;
    }
  })();
  return received;
}

function report(
  name: string,
  from: Signalling,
  to: Signalling,
  { times, longestGapMs }: Received,
): boolean {
  const lost = times.filter((count) => count === 0).length;
  const duplicated = times.filter((count) => count > 1).length;
  const rows: [string, number][] = [
    ["sent", MESSAGES],
    ["lost", lost],
    ["duplicated", duplicated],
    ["copies handed to brokers", from.stats().copies],
    ["copies dropped by number", to.stats().duplicatesDropped],
    ["longest gap in ms", Math.round(longestGapMs)],
  ];
  console.log(name);
  for (const [what, count] of rows) {
    console.log(`  ${what.padEnd(26)}${String(count).padStart(6)}`);
  }
  return lost === 0 && duplicated === 0;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

if (import.meta.main) Deno.exit(await main());
