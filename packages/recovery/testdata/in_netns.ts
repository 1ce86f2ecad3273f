// deno-lint-ignore-file no-console -- it answers by lines
// Runs inside a network namespace of its own (see the tests): the namespace
// has 10.77.0.1/24 on a link whose far end never answers, and routes that
// forbid. Prints one JSON line for each question.
import dgram from "node:dgram";
import net from "node:net";
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

const APIS: Readonly<Record<string, (hostname: string) => Promise<unknown>>> = {
  connect: (hostname) =>
    Deno.connect({ hostname, port: 7 }).then((conn) => conn.close()),
  connectTls: (hostname) =>
    Deno.connectTls({ hostname, port: 7 }).then((conn) => conn.close()),
  fetch: (hostname) => fetch(`http://${hostname}:7007/`),
  "node:net": (host) =>
    new Promise((resolve, reject) => {
      const socket = net.connect({ host, port: 7 }, () => resolve("there"));
      socket.once("error", reject);
    }),
  "node:dgram": (host) =>
    new Promise((resolve, reject) => {
      const socket = dgram.createSocket("udp4");
      // Bound before: closing one that is being bound leaks it.
      socket.bind(0, () =>
        socket.send(
          "x",
          ...[7, host] as const,
          (error) => socket.close(() => error ? reject(error) : resolve("ok")),
        ));
    }),
};

const WAYS = {
  "blackhole": "10.78.1.1",
  "unreachable": "10.78.2.1",
  "prohibit": "10.78.3.1",
  "throw": "10.78.4.1",
  "no-route": "10.99.0.1",
};
for (const [way, address] of Object.entries(WAYS)) {
  for (const [api, run] of Object.entries(APIS)) {
    await judge(`${way} ${api}`, () => run(address));
  }
}
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
