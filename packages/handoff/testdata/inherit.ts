/** Run by spawn_test.ts: tells what it inherited to its first client. */
import { HandoffError, inheritedSockets } from "../mod.ts";

try {
  const sockets = await inheritedSockets();
  const again = await inheritedSockets();
  using web = sockets.get("web")!;
  using conn = await web.accept();
  const report = {
    names: [...sockets.keys()],
    again: again.size,
    port: web.addr.port,
    variables: ["LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES"]
      .filter((name) => Deno.env.has(name)),
  };
  await conn.write(new TextEncoder().encode(JSON.stringify(report)));
} catch (error) {
  if (!(error instanceof HandoffError)) throw error;
  await Deno.stdout.write(
    new TextEncoder().encode(`${error.code} ${error.message}`),
  );
}
