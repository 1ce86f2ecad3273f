/** Faults of this host and of the program itself. */
import { assert, assertEquals } from "@std/assert";
import { LAB, PORTS } from "@holdfast/testkit/lab";
import { classify, retry } from "../../mod.ts";
import {
  child,
  connects,
  failureOf,
  type Fault,
  later,
  printed,
} from "./fault.ts";

const FOUR = { hostname: LAB.server4, port: PORTS.echo };

/** Opens descriptors until there are none; they are closed again. */
function exhaust(): Disposable {
  const held: Deno.FsFile[] = [];
  try {
    for (;;) held.push(Deno.openSync("/dev/null"));
  } catch {
    // No more.
  }
  return {
    [Symbol.dispose]() {
      for (const file of held.splice(0)) file.close();
    },
  };
}

/** Takes every local port to one server that ends the connections by itself. */
async function takePorts(): Promise<Deno.TcpConn[]> {
  const range = "/proc/sys/net/ipv4/ip_local_port_range";
  await Deno.writeTextFile(range, "40000 40019");
  const held: Deno.TcpConn[] = [];
  try {
    for (;;) held.push(await Deno.connect({ ...FOUR, port: PORTS.ends }));
  } catch {
    return held; // The lab gives the other ports back.
  }
}

/** Reads until the other side has ended, then closes. */
async function drain(conns: readonly Deno.TcpConn[]): Promise<void> {
  await Promise.all(conns.map(async (conn) => {
    await conn.read(new Uint8Array(1));
    conn.close();
  }));
}

/** It is tried once, and given up. */
async function onceOnly(run: () => unknown, action: string): Promise<void> {
  let attempts = 0;
  const error = await retry(async () => {
    attempts++;
    await run();
  }).catch((error) => error);
  assertEquals([error.code, attempts], ["recovery/gave-up", 1]);
  assertEquals(classify(error.cause).action, action);
}

export const SYSTEM_FAULTS: readonly Fault[] = [
  {
    id: "fd-exhausted",
    plain: async () => {
      using _held = exhaust();
      assertEquals(
        await failureOf(() => connects(LAB.server4, PORTS.echo, 5_000)),
        "EMFILE",
      );
    },
    prevented: async () => {
      const held = exhaust();
      void later(400, () => held[Symbol.dispose]());
      (await retry(() => Deno.connect(FOUR), { firstMs: 200 })).close();
    },
  },
  {
    id: "ephemeral-ports-out",
    plain: async () => {
      const held = await takePorts();
      assertEquals(
        await failureOf(() => connects(LAB.server4, PORTS.ends, 5_000)),
        "EADDRNOTAVAIL",
      );
      await drain(held);
    },
    prevented: async () => {
      const held = await takePorts();
      const draining = drain(held);
      const port = PORTS.ends;
      (await retry(() => Deno.connect({ ...FOUR, port }))).close();
      await draining;
    },
  },
  {
    id: "port-taken",
    plain: async () => {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = listener.addr;
      const how = await failureOf(() =>
        Deno.listen({ hostname: "127.0.0.1", port })
      );
      assertEquals(how, "EADDRINUSE");
    },
    prevented: async () => {
      const before = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const { port } = before.addr;
      void later(300, () => before.close());
      const listen = () => Deno.listen({ hostname: "127.0.0.1", port });
      (await retry(listen, { firstMs: 200 })).close();
    },
  },
  {
    id: "permission-missing",
    plain: async () => {
      // A loop that does not look goes on for ever.
      const said = await printed(child(
        `let attempts = 0;
         for (; attempts < 100; attempts++) {
           try { await Deno.connect({ hostname: "127.0.0.1", port: 9 }); break; } catch {}
         }
         console.log(attempts);`,
        { permissions: [] },
      ));
      assertEquals(said, "100");
    },
    prevented: async () => {
      const { href } = new URL("../../mod.ts", import.meta.url);
      const said = await printed(child(
        `import { retry } from "${href}";
         let attempts = 0;
         await retry(() => { attempts++; return Deno.connect({ hostname: "127.0.0.1", port: 9 }); }).catch(() => {});
         console.log(attempts);`,
        { permissions: [`--allow-import`, "--allow-read"] },
      ));
      assertEquals(said, "1");
    },
  },
  {
    id: "used-after-close",
    plain: async () => {
      const conn = await Deno.connect(FOUR);
      conn.close();
      const error = await conn.read(new Uint8Array(1)).catch((error) => error);
      assert(error instanceof Deno.errors.BadResource, `${error}`);
    },
    prevented: async () => {
      const conn = await Deno.connect(FOUR);
      conn.close();
      await onceOnly(() => conn.read(new Uint8Array(1)), "bug");
    },
  },
  {
    id: "clock-step",
    plain: async () => {
      const said = await withSteppedClock(`
        const until = Date.now() + 60_000;
        step();
        console.log(Date.now() > until ? "over" : "waiting");
      `);
      assertEquals(said, "over", "a minute has not passed");
    },
    prevented: async () => {
      const { href } = new URL("../../mod.ts", import.meta.url);
      const said = await withSteppedClock(`
        const { dial } = await import("${href}");
        const dialling = dial({ hostname: "${LAB.server4}", port: ${PORTS.dead} }, { deadlineMs: 60_000, firstMs: 20 });
        let over = false;
        dialling.then(() => over = true, () => over = true);
        step();
        await new Promise((resolve) => setTimeout(resolve, 300));
        console.log(over ? "over" : "waiting");
      `);
      assertEquals(said, "waiting");
    },
  },
  {
    id: "freeze",
    plain: async () => {
      const said = await frozenRead(`
        const buffer = new Uint8Array(1);
        const late = new Promise((resolve) => setTimeout(() => resolve("late"), 1_000));
        frozen();
        console.log(await Promise.race([conn.read(buffer), late]));
      `);
      assertEquals(said, "late");
    },
    prevented: async () => {
      const { href } = new URL("../../mod.ts", import.meta.url);
      const said = await frozenRead(`
        const { timedReader } = await import("${href}");
        const reader = timedReader(conn);
        frozen();
        console.log((await reader.read(1_000))?.[0]);
      `);
      assertEquals(said, "7");
    },
  },
];

/** Runs a script whose `step()` sets the clock a day on. */
async function withSteppedClock(script: string): Promise<string> {
  const file = await Deno.makeTempFile();
  await Deno.writeTextFile(file, "+0");
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", "faketime -f +0 sh -c 'echo $LD_PRELOAD'"],
  }).output();
  try {
    return await printed(child(
      `const step = () => Deno.writeTextFileSync("${file}", "+1d");
       ${script}
       Deno.exit(0);`,
      {
        env: {
          LD_PRELOAD: new TextDecoder().decode(stdout).trim(),
          FAKETIME_TIMESTAMP_FILE: file,
          FAKETIME_NO_CACHE: "1",
          FAKETIME_DONT_FAKE_MONOTONIC: "1",
        },
      },
    ));
  } finally {
    await Deno.remove(file);
  }
}

/**
 * Runs a script that is stopped for longer than its read may take, right after
 * it said `frozen()`; a byte arrives meanwhile.
 */
async function frozenRead(script: string): Promise<string> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const process = child(`
    const conn = await Deno.connect({ hostname: "127.0.0.1", port: ${listener.addr.port} });
    const frozen = () => Deno.kill(Deno.pid, "SIGSTOP");
    ${script}
    Deno.exit(0);
  `);
  using conn = await listener.accept();
  const output = printed(process);
  await stopped(process.pid);
  await conn.write(new Uint8Array([7]));
  await later(2_000, () => {});
  process.kill("SIGCONT");
  return await output;
}

/** Until the process has stopped itself. */
async function stopped(pid: number): Promise<void> {
  for (;;) {
    const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
    if (/\) T /.test(stat)) return;
    await later(10, () => {});
  }
}
