import { assert, assertEquals, assertRejects } from "@std/assert";
import fc from "fast-check";
import { isAnswerTo, readAnswer } from "./_dns_reading.ts";
import { raceServers } from "./_dns_race.ts";
import type { DnsAnswer, DnsServer as Server } from "./_dns_types.ts";
import { RecoveryError } from "./errors.ts";
import { resolve, type ResolveOptions } from "./resolve.ts";
import { testWith } from "@holdfast/testkit";
import { startDnsServer } from "@holdfast/testkit/dns";
import { runInNamespace } from "./testdata/in_namespace.ts";

const PUBLIC = { four: "192.0.2.4", six: "2001:db8::6" };

function plain(text: string, options: ResolveOptions): Promise<string[]> {
  return resolve(text, options).then(({ addresses }) =>
    addresses.map(({ address }) => address)
  );
}

async function codeOf(run: () => Promise<unknown>): Promise<string> {
  return (await assertRejects(run, RecoveryError)).code;
}

Deno.test("resolve() tells apart what servers say, where Deno.resolveDns says NotFound of all", async () => {
  await using dns = await startDnsServer(PUBLIC);
  const options = { servers: [dns.address], deadlineMs: 2_000, hosts: false };
  const table: Record<string, string> = {
    nx: "recovery/no-such-name",
    empty: "recovery/no-address",
    servfail: "recovery/resolver-failed",
    formerr: "recovery/resolver-failed",
    refused: "recovery/resolver-refused",
    sink: "recovery/sinkholed",
    blocked: "recovery/sinkholed",
  };
  for (const [kind, code] of Object.entries(table)) {
    assertEquals(
      await codeOf(() => resolve(`${kind}.test`, options)),
      code,
      kind,
    );
  }
  const [ipAddr, port] = dns.address.split(":") as [string, string];
  const nameServer = { ipAddr, port: Number(port) };
  for (const kind of ["nx", "servfail", "refused", "empty"]) {
    await assertRejects(
      () => Deno.resolveDns(`${kind}.test`, "A", { nameServer }),
      Deno.errors.NotFound,
    );
  }
  const short = { ...options, deadlineMs: 300 };
  for (const kind of ["silent", "garbage"]) {
    assertEquals(
      await codeOf(() => resolve(`${kind}.test`, short)),
      "recovery/resolver-silent",
      kind,
    );
  }
});

Deno.test("resolve() finds addresses: IPv6 first, behind aliases, over TCP, and not what others forged", async () => {
  await using dns = await startDnsServer(PUBLIC);
  const options = { servers: [dns.address], hosts: false };
  const both = [PUBLIC.six, PUBLIC.four];
  // "old" knows no EDNS; of "cut" the rest cannot be had by TCP.
  for (const kind of ["ok", "alias", "big", "forged", "old", "cut"]) {
    assertEquals(await plain(`${kind}.test`, options), both, kind);
  }
  const error = await assertRejects(() => resolve("cutoff.test", options));
  assertEquals((error as Error).message.includes("no name server"), false);
  assertEquals(await plain("four.test", options), [PUBLIC.four]);
  assertEquals(await plain("ok.test", { ...options, families: ["v4"] }), [
    PUBLIC.four,
  ]);
  assertEquals(
    await codeOf(() => resolve("stranger.test", options)),
    "recovery/no-address",
  );
  await using local = await startDnsServer();
  assertEquals(
    await plain("blocked.test", { servers: [local.address], loopback: true }),
    ["::1", "127.0.0.1"],
  );
});

Deno.test("a middlebox that swallows AAAA does not hold the addresses that are there", async () => {
  await using dns = await startDnsServer(PUBLIC);
  // Without the delay it would wait for the deadline.
  const { addresses, missing } = await resolve("dropped.test", {
    servers: [dns.address],
    deadlineMs: 600_000,
  });
  assertEquals(addresses.map(({ address }) => address), [PUBLIC.four]);
  assertEquals(missing, ["v6"]);
});

Deno.test("a dead server gets company, one that says no is left, and who answered goes first", async () => {
  await using dead = await startDnsServer(PUBLIC);
  await using good = await startDnsServer(PUBLIC);
  dead.silent = true;
  const options = {
    ...{ servers: [dead.address, good.address], deadlineMs: 600_000 },
    hosts: false,
  };
  const { servers } = await resolve("first.test", options);
  assertEquals(servers, [good.address]);
  assert(dead.asked.length > 0);
  const before = dead.asked.length;
  await resolve("second.test", options);
  assertEquals(dead.asked.length, before, "the dead one was asked first again");

  await using refusing = await startDnsServer(PUBLIC);
  refusing.rcode = 5;
  const other = {
    // An hour: a refusal must not cost it.
    ...{ servers: [refusing.address, good.address], headStartMs: 3_600_000 },
    ...{ deadlineMs: 3_600_000, hosts: false },
  };
  assertEquals((await resolve("third.test", other)).servers, [good.address]);
});

Deno.test("when nobody answers any more, addresses from before serve; a denial ends them", async () => {
  await using dns = await startDnsServer(PUBLIC);
  const options = { servers: [dns.address], hosts: false };
  await resolve("stays.test", options);
  // Kept for a second, as its record says; then asked for again.
  await resolve("stays.test", options);
  assertEquals(dns.asked.length, 2);
  await new Promise((resolve) => setTimeout(resolve, 1_100));
  dns.rcode = 2;
  const { addresses, stale } = await resolve("stays.test", options);
  assertEquals([addresses.length, stale], [2, true]);
  dns.rcode = undefined;
  dns.silent = true;
  assertEquals((await resolve("stays.test", options)).stale, true);
  dns.silent = false;
  dns.rcode = 3;
  await assertRejects(() => resolve("stays.test", options), RecoveryError);
  dns.silent = true;
  assertEquals(
    await codeOf(() => resolve("stays.test", { ...options, deadlineMs: 200 })),
    "recovery/resolver-silent",
  );
});

Deno.test("look-ups of one name at once are one question, which each may leave", async () => {
  await using dns = await startDnsServer(PUBLIC);
  const options = {
    ...{ servers: [dns.address], hosts: false, families: ["v4"] as const },
    deadlineMs: 600_000,
  };
  const many = Array.from({ length: 50 }, () => resolve("once.test", options));
  for (const { addresses } of await Promise.all(many)) {
    assertEquals(addresses[0]?.address, PUBLIC.four);
  }
  assertEquals(dns.asked, ["A once.test"]);
  // The one that asks leaves, and another one goes on.
  dns.silent = true;
  const abort = new AbortController();
  const [first, second] = [
    resolve("left.test", { ...options, signal: abort.signal }),
    resolve("left.test", options),
  ];
  const short = resolve("left.test", { ...options, deadlineMs: 20 });
  assertEquals(await codeOf(() => short), "recovery/resolver-silent");
  abort.abort(new Error("enough"));
  await assertRejects(() => first, Error, "enough");
  dns.silent = false;
  assertEquals((await second).addresses[0]?.address, PUBLIC.four);
});

Deno.test("hung look-ups hold no file up", async () => {
  await using dns = await startDnsServer(PUBLIC);
  dns.silent = true;
  const abort = new AbortController();
  const order: string[] = [];
  const hung = Array.from({ length: 200 }, (_, i) =>
    resolve(`hung${i}.test`, {
      ...{ servers: [dns.address], deadlineMs: 60_000, signal: abort.signal },
    }).catch(() => order.push("look-up")));
  // More than the pool of 32 threads has, several times.
  while (dns.asked.length < 100) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  await Deno.readTextFile(new URL("./deno.json", import.meta.url));
  order.push("file");
  abort.abort();
  await Promise.all(hung);
  assertEquals(order[0], "file");
  assertEquals(order.length, 201);
});

Deno.test("resolve() takes an address as it is, and says what it cannot take", async () => {
  assertEquals(await plain("192.0.2.7", {}), ["192.0.2.7"]);
  assertEquals(await plain("2001:db8::7", {}), ["2001:db8::7"]);
  for (
    const name of [
      ...["", "a..b", "x".repeat(64), "a b", "\u0000", "1.2.3.4%lo", "[::1]"],
      // Written as a part of a URL they would be another host.
      ...[
        "ü@evil.test",
        "ü/a.test",
        "ü.test:80",
        "ü?.test",
        "ü\\a",
        "１.２.３.４",
      ],
    ]
  ) {
    await assertRejects(() => resolve(name), TypeError, "it is no name");
  }
  for (const families of [[], ["ipv4"]]) {
    await assertRejects(
      () => resolve("a.test", { families: families as "v4"[] }),
      TypeError,
      "families",
    );
  }
  assertEquals(
    await codeOf(() => resolve("192.0.2.7", { families: ["v6"] })),
    "recovery/no-address",
  );
  await assertRejects(
    () => resolve("ok.test", { servers: ["one.one"] }),
    TypeError,
    'server "one.one" is no address',
  );
  await assertRejects(() => resolve("a.test", { deadlineMs: 0 }), RangeError);
  assertEquals(
    await codeOf(() => resolve("a.test", { servers: [] })),
    "recovery/no-resolver",
  );
  const signal = AbortSignal.abort(new Error("enough"));
  await assertRejects(() => resolve("a.test", { signal }), Error, "enough");
});

Deno.test("resolve() obeys its signal at once and leaves nothing open", async () => {
  await using dns = await startDnsServer(PUBLIC);
  dns.silent = true;
  const abort = new AbortController();
  const waiting = resolve("a.test", {
    ...{ servers: [dns.address], deadlineMs: 600_000, signal: abort.signal },
  });
  abort.abort(new Error("enough"));
  await assertRejects(() => waiting, Error, "enough");
});

Deno.test("whatever a message is, reading it gives an answer and throws nothing", () => {
  const question = {
    id: 1,
    name: "a.test",
    type: "A",
    loopback: false,
  } as const;
  fc.assert(fc.property(fc.anything(), (message) => {
    isAnswerTo(message, question);
    assert(readAnswer(message, question).kind.length > 0);
  }));
});

Deno.test("whatever servers do, the first conclusive answer wins, else the most telling failure", async () => {
  const kinds: DnsAnswer["kind"][] = [
    ...["no-such-name", "no-data", "server-failure"] as const,
    ...["refused", "silent", "malformed"] as const,
  ];
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom(...kinds), { minLength: 1, maxLength: 4 }),
      async (behaviour) => {
        const servers = behaviour.map((_, port): Server => ({
          ...{ hostname: "192.0.2.1", port },
        }));
        const asked: number[] = [];
        const limit = new AbortController();
        const timer = setTimeout(() => limit.abort(), 30);
        const [{ kind }, server] = await raceServers({
          ...{ servers, headStartMs: 1, rounds: 2 },
          pause: () => new Promise((resolve) => setTimeout(resolve, 0)),
          ask: ({ port }, signal) => {
            asked.push(port);
            const kind = behaviour[port]!;
            return new Promise((resolve) => {
              if (kind !== "silent") return resolve({ kind } as DnsAnswer);
              if (signal.aborted) return resolve({ kind });
              signal.addEventListener("abort", () => resolve({ kind }));
            });
          },
        }, limit.signal);
        clearTimeout(timer);
        // The last pause ends.
        await new Promise((resolve) => setTimeout(resolve, 0));
        const conclusive = ["no-such-name", "no-data"];
        const best = behaviour.find((kind) => conclusive.includes(kind));
        if (best !== undefined) {
          assert(conclusive.includes(kind) && server !== undefined);
        } else {
          const rank = ["server-failure", "refused", "malformed", "silent"];
          assertEquals(
            kind,
            rank.find((k) => behaviour.includes(k as "silent")),
          );
          assertEquals(server, undefined);
        }
      },
    ),
    { numRuns: 50 },
  );
});

testWith({
  name:
    "where no name server is named resolve() says so, and dial() has the system look up",
  needs: ["netns"],
  fn: () =>
    runInNamespace(
      "./no_servers_driver.ts",
      "mount --bind /dev/null /etc/resolv.conf; ip link set lo up",
    ),
});

testWith({
  name:
    "a look-up for which no socket can be opened says so, and not at its end",
  needs: ["linux", "sh"],
  async fn() {
    const { stdout, stderr } = await new Deno.Command("sh", {
      args: [
        ...["-c", 'ulimit -n 64; exec "$@"', "sh", Deno.execPath(), "run"],
        ...["--no-prompt", "--no-check", "--allow-net", "--allow-read"],
        new URL("./testdata/no_descriptors_driver.ts", import.meta.url)
          .pathname,
      ],
      env: { NO_COLOR: "1" },
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assert(text(stdout).startsWith("["), text(stderr));
    assertEquals(JSON.parse(text(stdout)), [
      ...["192.0.2.4", "fd-exhausted", "192.0.2.4"],
    ]);
  },
});
