/**
 * Run by restart_test.ts and the bench: an HTTP server that replaces itself on
 * SIGHUP, by `Deno.serve` or `node:http`, and prints a line when it serves.
 */
import { createServer } from "node:http";
import { openUpgrader } from "../mod.ts";

const [kind, port, ...rest] = Deno.args;
const sick = rest.includes("sick");
const upgrader = await openUpgrader();
const say = (line: unknown): void => {
  Deno.stdout.writeSync(
    new TextEncoder().encode(JSON.stringify(line) + "\n"),
  );
};
upgrader.on("*", (event) => say({ ...event, from: Deno.pid }));
const at = { hostname: "127.0.0.1", port: Number(port) };
const web = kind === "deno"
  ? await upgrader.serve(
    "web",
    at,
    () =>
      sick
        ? new Response("sick", { status: 500 })
        : new Response(`pid ${Deno.pid}`),
  )
  : await upgrader.serveNode(
    "web",
    at,
    createServer((_request, response) => {
      response.statusCode = sick ? 500 : 200;
      response.end(`pid ${Deno.pid}`);
    }),
  );

const flags = kind === "deno"
  ? ["-A"]
  : ["--allow-net", "--allow-run", "--allow-env"];
const next = rest.includes("sicken")
  ? ["sick"]
  : rest.filter((a) => a !== "sick");
upgrader.upgradeOn({
  command: Deno.execPath(),
  args: [
    "run",
    "--no-prompt",
    "--no-check",
    ...flags,
    import.meta.url,
    kind!,
    port!,
    ...next,
  ],
  probe: async ({ hostname, port }, signal) => {
    const answer = await fetch(`http://${hostname}:${port}/`, { signal });
    await answer.body?.cancel();
    return answer.ok;
  },
});
await upgrader.ready();
say({ type: "up", pid: Deno.pid, port: web.addr.port });
