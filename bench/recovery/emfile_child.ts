// deno-lint-ignore-file no-console -- the bench reads it
/**
 * A server with eight listeners and no descriptor left: `ours|plain` and how
 * many failures to wait for. Then room is made, and it says who lives on.
 */
import { superviseAccept } from "@holdfast/recovery";

const [kind, count] = Deno.args;
const wanted = Number(count);
const listeners = Array.from(
  { length: 8 },
  () => Deno.listen({ hostname: "127.0.0.1", port: 0 }),
);
console.log(JSON.stringify(listeners.map(({ addr }) => addr.port)));
// Deno opens what signals need when it is first asked, and panics without room.
Deno.addSignalListener("SIGUSR2", () => {});
const held: Deno.FsFile[] = [];
try {
  for (;;) held.push(Deno.openSync("/dev/null"));
} catch {
  // No more.
}
const counts = { errors: 0, served: 0, deaths: 0 };

async function serve(conns: AsyncIterable<Deno.Conn>): Promise<void> {
  try {
    for await (const conn of conns) {
      counts.served++;
      conn.close();
    }
  } catch {
    counts.errors++;
  }
  counts.deaths++;
}

for (const listener of listeners) {
  if (kind === "ours") {
    const supervised = superviseAccept(listener);
    supervised.on("accept-paused", () => counts.errors++);
    void serve(supervised);
  } else void serve(listener);
}

const until = performance.now() + 900_000;
while (counts.errors < wanted && performance.now() < until) {
  await new Promise((resolve) => setTimeout(resolve, 10));
}
const { errors } = counts;
for (const file of held) file.close();
const freedAt = performance.now();
while (
  counts.served < listeners.length && performance.now() < freedAt + 1_000
) await new Promise((resolve) => setTimeout(resolve, 1));
console.log(JSON.stringify({
  errors,
  deaths: counts.deaths,
  resumeMs: performance.now() - freedAt,
  served: counts.served,
}));
Deno.exit(0);
