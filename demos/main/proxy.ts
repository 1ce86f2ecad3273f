/**
 * The proxy program of the demos: carries TCP connections, and does to them
 * what it is told: resets them, leaves them hanging, or lets nobody through.
 */
import { CutProxy } from "@holdfast/testkit/proxy";
import { readLines, say } from "./lines.ts";

const PROBE_MS = 1_000;

// A path of 20 ms there and back: so that a cut always finds bytes under way.
const proxy = await CutProxy.start({ keepSource: true, delayMs: 10 });
say({ type: "listening", port: proxy.port });
for await (const line of readLines(Deno.stdin.readable)) {
  switch (line.type) {
    case "forward":
      proxy.forward("127.0.0.1", line.port);
      say({ type: "forwarding" });
      break;
    case "refuse":
      proxy.refuse();
      say({ type: "refusing", connections: proxy.cut() });
      break;
    case "cut":
      say({ type: "cut", connections: proxy.cut(line.side) });
      break;
    case "probe":
      say({ type: `probed-${line.port}`, open: await isOpen(line.port) });
  }
}
Deno.exit(0);

/** Whether a connection to that port is made, and lasts for a moment. */
async function isOpen(port: number): Promise<boolean> {
  const signal = AbortSignal.timeout(PROBE_MS);
  try {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port, signal });
    // Who refuses by hand resets at once what the kernel let in.
    const read = conn.read(new Uint8Array(1)).then(() => false, () => false);
    const pause = new Promise<boolean>((resolve) =>
      setTimeout(() => resolve(true), 100)
    );
    return await Promise.race([read, pause]);
  } catch {
    return false;
  }
}
