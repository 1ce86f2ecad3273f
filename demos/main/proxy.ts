/** The proxy program of the demo: carries TCP connections, and resets them when told. */
import { CutProxy } from "@holdfast/testkit/proxy";
import { readLines, say } from "./lines.ts";

// A path of 20 ms there and back: so that a cut always finds bytes under way.
const proxy = await CutProxy.start({ keepSource: true, delayMs: 10 });
say({ type: "listening", port: proxy.port });
for await (const line of readLines(Deno.stdin.readable)) {
  if (line.type === "forward") {
    proxy.forward("127.0.0.1", line.port);
    say({ type: "forwarding" });
  }
  if (line.type === "cut") say({ type: "cut", connections: proxy.cut() });
}
Deno.exit(0);
