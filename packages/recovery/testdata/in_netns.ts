// deno-lint-ignore-file no-console -- it answers by lines
// Runs inside a network namespace of its own (see the tests): the namespace
// has 10.77.0.1/24 on a link whose far end never answers, and routes that
// forbid. Prints one JSON line for each question.
import { classify, dial } from "../mod.ts";

async function judge(name: string, run: () => Promise<unknown>): Promise<void> {
  try {
    await run();
    console.log(JSON.stringify({ name, ok: true }));
  } catch (error) {
    const { action, failure, code } = classify(error);
    const kind = (error as Error).name;
    console.log(JSON.stringify({ name, kind, action, failure, code }));
  }
}

const connect = (hostname: string) =>
  Deno.connect({ hostname, port: 7 }).then((conn) => conn.close());

for (const kind of ["blackhole", "unreachable", "prohibit", "throw"]) {
  const subnet = { blackhole: 1, unreachable: 2, prohibit: 3, throw: 4 }[kind];
  await judge(kind, () => connect(`10.78.${subnet}.1`));
}
await judge("no-route", () => connect("10.99.0.1"));
await judge("absent-address", async () => {
  await new Promise((resolve) =>
    resolve(
      Deno.listen({ hostname: "10.99.0.1", port: 0 }).close(),
    )
  );
});

const silent = { hostname: "10.77.0.2", port: 7 };
await judge("silent-deadline", () => dial(silent, { deadlineMs: 400 }));

using listener = Deno.listen({ hostname: "10.77.0.1", port: 0 });
const good = { hostname: "10.77.0.1", port: listener.addr.port };
await judge("silent-then-good", async () => {
  const conn = await dial([silent, good], { deadlineMs: 5_000, staggerMs: 50 });
  conn.close();
  if (conn.remoteAddr.hostname !== good.hostname) throw new Error("wrong one");
});
