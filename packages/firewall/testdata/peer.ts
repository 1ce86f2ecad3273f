// deno-lint-ignore-file no-console -- it answers by lines
// The other machine: runs in a network namespace of its own, and connects to
// where its input says. One JSON line in, one out.
import { TextLineStream } from "./lines.ts";

/** Whether a connection opens and its server's first byte arrives. */
async function probe(
  [hostname, port, ms]: [string, number, number],
): Promise<boolean> {
  const signal = AbortSignal.timeout(ms);
  try {
    const conn = await Deno.connect({ hostname, port, signal });
    const timer = setTimeout(() => conn.close(), ms);
    try {
      return await conn.read(new Uint8Array(1)) === 1;
    } finally {
      clearTimeout(timer);
      try {
        conn.close();
      } catch {
        // The timer was first.
      }
    }
  } catch {
    return false;
  }
}

console.log('"ready"');
const lines = Deno.stdin.readable.pipeThrough(new TextDecoderStream())
  .pipeThrough(new TextLineStream());
for await (const line of lines) {
  const { commands, probes } = JSON.parse(line);
  for (const [command, ...args] of commands ?? []) {
    const { success } = new Deno.Command(command, { args }).outputSync();
    if (!success) throw new Error(`${command} ${args.join(" ")} failed`);
  }
  console.log(JSON.stringify(await Promise.all((probes ?? []).map(probe))));
}
