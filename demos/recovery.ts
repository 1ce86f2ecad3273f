// deno-lint-ignore-file no-console -- a demo writes lines
/**
 * A server that comes up half a second late: what a bare reconnect loop does,
 * and what `dial` does.
 *
 * deno run --allow-net=127.0.0.1 demos/recovery.ts
 *
 * @module
 */
import { classify, dial, failures } from "@holdfast/recovery";

const hostname = "127.0.0.1";
const LATE_MS = 500;

/** Runs `connect` against a port that starts to listen later. */
async function againstLateServer(
  connect: (target: { hostname: string; port: number }) => Promise<Deno.Conn>,
): Promise<number> {
  const probe = Deno.listen({ hostname, port: 0 });
  const target = { hostname, port: probe.addr.port };
  probe.close();
  const listener = Promise.withResolvers<Deno.Listener>();
  setTimeout(() => listener.resolve(Deno.listen(target)), LATE_MS);
  const started = performance.now();
  const conn = await connect(target);
  const took = performance.now() - started;
  conn.close();
  (await listener.promise).close();
  return took;
}

console.log(`A server starts ${LATE_MS} ms from now; clients come at once.\n`);

console.log("1. The bare loop: try, and try again");
let naive = 0;
const naiveMs = await againstLateServer(async (target) => {
  while (true) {
    naive++;
    try {
      return await Deno.connect(target);
    } catch {
      // The loop that most programs have.
    }
  }
});
console.log(`   ${naive} attempts in ${Math.round(naiveMs)} ms\n`);

console.log(
  "2. dial: a verdict on each error, backoff with jitter, a deadline",
);
let attempts = 0;
const dialMs = await againstLateServer((target) =>
  dial(target, {
    firstMs: 50,
    deadlineMs: 5_000,
    onAttempt(event) {
      if (event.type === "attempt-started") attempts++;
      if (event.type !== "attempt-failed") return;
      const { verdict, retryInMs } = event;
      const wait = Math.round(retryInMs ?? 0);
      console.log(
        `   ${verdict.code} → ${verdict.action} (${verdict.why}); again in ${wait} ms`,
      );
    },
  })
);
console.log(`   ${attempts} attempts in ${Math.round(dialMs)} ms\n`);

console.log("3. What the catalogue says");
const refused = await Deno.connect({ hostname, port: 1 }).catch((e) => e);
const { failure } = classify(refused);
const entry = failures.find(({ id }) => id === failure);
console.log(`   ${entry?.id}: ${entry?.cause}\n   → ${entry?.prevent}\n`);

console.log("4. A target that never answers does not hold the program");
const started = performance.now();
const error = await dial({ hostname, port: 7 }, {
  deadlineMs: 300,
  connect: () => new Promise<Deno.Conn>(() => {}),
}).catch((error) => error);
console.log(
  `   ${error.name} after ${
    Math.round(performance.now() - started)
  } ms: ${error.message}`,
);

const held = attempts < naive / 10 && failure === "refused" &&
  error.name === "TimeoutError";
console.log(held ? "\nAll of it held." : "\nSomething did not hold.");
if (!held) Deno.exit(1);
