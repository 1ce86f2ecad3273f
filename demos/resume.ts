// deno-lint-ignore-file no-console
/**
 * One stream over a connection that is reset again and again.
 *
 * ```sh
 * deno run --allow-net=127.0.0.1 demos/resume.ts
 * ```
 *
 * @module
 */
import {
  acceptResumable,
  connectResumable,
  type ResumableConn,
} from "@holdfast/resume";
import { CutProxy } from "@holdfast/testkit/proxy";

const NUMBERS = 20_000;
const CUTS = 10;

await using proxy = await CutProxy.start({ delayMs: 2 });
const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
proxy.forward("127.0.0.1", listener.addr.port);
const server = acceptResumable(listener);
const client = await connectResumable(
  () => Deno.connect({ hostname: "127.0.0.1", port: proxy.port }),
  { redialMaxMs: 200 },
);
client.on(
  "detached",
  (event) =>
    console.log(`  cut: ${event.reason}, ${event.pendingBytes} bytes kept`),
);
client.on("resumed", (event) =>
  console.log(
    `  goes on after ${
      event.pauseMs.toFixed(0)
    } ms, ${event.replayedBytes} bytes sent again`,
  ));

console.log(
  `A client writes the numbers up to ${NUMBERS}; the server reads them.`,
);
const accepted = await server.accept();
const [wrong] = await Promise.all([
  readNumbers(accepted),
  writeNumbers(client),
]);
client.close();
accepted.close();
await client.closed;
await server.close();

console.log(`\n  cuts                  ${proxy.cuts}`);
console.log(`  numbers read in order ${NUMBERS - wrong} of ${NUMBERS}`);
console.log(`  bytes sent again      ${client.stats().replayed}`);
Deno.exitCode = wrong === 0 && proxy.cuts >= CUTS ? 0 : 1;

async function writeNumbers(conn: ResumableConn): Promise<void> {
  const word = new Uint8Array(4);
  for (let i = 0; i < NUMBERS; i++) {
    new DataView(word.buffer).setUint32(0, i);
    for (let at = 0; at < 4;) at += await conn.write(word.subarray(at));
    if (i % (NUMBERS / CUTS) === NUMBERS / CUTS - 1) proxy.cut();
    if (i % 50 === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await conn.closeWrite();
}

/** How many numbers were not the next one. */
async function readNumbers(conn: ResumableConn): Promise<number> {
  let [next, wrong, rest] = [0, 0, new Uint8Array(0)];
  const into = new Uint8Array(4096);
  for (let n; (n = await conn.read(into)) !== null;) {
    const bytes = new Uint8Array([...rest, ...into.subarray(0, n)]);
    const view = new DataView(bytes.buffer);
    const whole = bytes.length - bytes.length % 4;
    for (let at = 0; at < whole; at += 4) {
      if (view.getUint32(at) !== next++) wrong++;
    }
    rest = bytes.slice(whole);
  }
  return wrong + NUMBERS - next;
}
