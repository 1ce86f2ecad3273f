/** The peers' server in bench/handoff.ts: `Deno.serve`, and no hand-over. */
const [port, reusePort] = Deno.args;
const server = Deno.serve({
  hostname: "127.0.0.1",
  port: Number(port),
  reusePort: reusePort === "reuse",
  onListen: () => {},
}, () => new Response(`pid ${Deno.pid}`));
Deno.addSignalListener("SIGTERM", () => void server.shutdown());
Deno.stdout.writeSync(new TextEncoder().encode("up\n"));
await server.finished;
Deno.exit();
