/** Both ends of a tunnel are restarted, and no program through it notices. */
import { runs, testWith } from "@holdfast/testkit";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { deadline, delay } from "@std/async";
import { createHash } from "node:crypto";
import {
  CA_CERTIFICATE,
  CERTIFICATE,
  CERTIFICATE_KEY,
} from "@holdfast/testkit/certificates";
import { startSshd } from "./_sshd.ts";
import {
  RESTART_PERMISSIONS,
  Running,
  startTunnel,
  type TunnelWorld,
} from "./_tunnel_world.ts";

const LONG_MS = 240_000;
const LOOPBACK = { hostname: "127.0.0.1", port: 0 };
const RESTARTS = runs(4, 40);

const start = (port: number, flags: { connect?: string[] } = {}) =>
  startTunnel(port, { ...flags, permissions: RESTART_PERMISSIONS });

/** How many times it has said that it listens. */
function starts({ said }: Running): number {
  return said.split('"type":"listening"').length - 1;
}

/** Restarts an end, and waits until the next process has it. */
async function restart(end: Running): Promise<void> {
  const before = starts(end);
  const { pid } = end;
  Deno.kill(pid, "SIGHUP");
  await end.says(/"type":"listening"/, before + 1);
  assert(end.pid !== pid, "it is the same process");
}

/** Sends so many bytes both ways at full speed; an echo that is byte-identical. */
async function talk(port: number, busy: () => boolean): Promise<number> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const [sent, got] = [createHash("sha256"), createHash("sha256")];
  let bytes = 0;
  const writing = (async () => {
    while (busy()) {
      const size = 1 + Math.floor(Math.random() * 60_000);
      const chunk = crypto.getRandomValues(new Uint8Array(size));
      sent.update(chunk);
      for (let at = 0; at < chunk.length;) {
        at += await conn.write(chunk.subarray(at));
      }
      bytes += chunk.length;
      // Some are always full, and some wait in a read when it happens.
      if (Math.random() < 0.2) await delay(Math.random() * 20);
    }
    await conn.closeWrite();
  })();
  const into = new Uint8Array(48_000);
  for (let n; (n = await conn.read(into)) !== null;) {
    got.update(into.subarray(0, n));
    if (Math.random() < 0.01) await delay(Math.random() * 20);
  }
  await writing;
  conn.close();
  assertEquals(got.digest("hex"), sent.digest("hex"));
  return bytes;
}

/** A target that echoes to the end. */
function echo(): { readonly port: number } & Disposable {
  const listener = Deno.listen(LOOPBACK);
  (async () => {
    for await (const conn of listener) {
      conn.readable.pipeTo(conn.writable).catch(() => {});
    }
  })();
  return {
    port: listener.addr.port,
    [Symbol.dispose]: () => listener.close(),
  };
}

function failures({ serve, connect }: TunnelWorld): string[] {
  return `${serve.said}${connect.said}`.split("\n")
    .filter((line) => /connection-failed|^error|^Cannot/.test(line));
}

testWith({
  name:
    `${RESTARTS} restarts of each end while twelve connections are full both ways lose, double and end nothing`,
  needs: ["linux"],
  async fn() {
    using target = echo();
    await using tunnel = await start(target.port);
    let busy = true;
    const talks = Array.from(
      { length: 12 },
      () => talk(tunnel.port, () => busy),
    );
    for (let i = 0; i < RESTARTS; i++) {
      await delay(50);
      await restart(i % 2 === 0 ? tunnel.serve : tunnel.connect);
      if (i % 2 === 0) tunnel.proxy.cut();
      await restart(i % 2 === 0 ? tunnel.connect : tunnel.serve);
    }
    busy = false;
    const bytes = await deadline(Promise.all(talks), LONG_MS);
    assert(Math.min(...bytes) > 0);
    await tunnel.serve.says(/connection-restored/);
    await tunnel.connect.says(/connection-restored/);
    assertEquals(failures(tunnel), []);
  },
});

testWith({
  name: "who connects while an end restarts is served, and never refused",
  needs: ["linux"],
  async fn() {
    using target = echo();
    await using tunnel = await start(target.port);
    let busy = true;
    let served = 0;
    const coming = Array.from({ length: 4 }, async () => {
      while (busy) {
        using conn = await Deno.connect({ ...LOOPBACK, port: tunnel.port });
        await conn.write(new Uint8Array([7]));
        const into = new Uint8Array(1);
        assertEquals([await conn.read(into), into[0]], [1, 7]);
        served++;
      }
    });
    for (let i = 0; i < RESTARTS; i++) {
      await restart(tunnel.connect);
      await restart(tunnel.serve);
      const before = served;
      while (served < before + 4) await delay(5);
    }
    busy = false;
    await deadline(Promise.all(coming), LONG_MS);
    assertEquals(failures(tunnel), []);
  },
});

testWith({
  name: "a shell over ssh goes on through restarts of both ends",
  needs: ["linux", "sshd", "ssh", "sh", "unshare"],
  async fn() {
    await using sshd = await startSshd();
    await using tunnel = await start(sshd.port);
    const child = new Deno.Command("ssh", {
      args: [
        ...["-T", ...sshd.options(tunnel.port), "127.0.0.1"],
        "while read -r n; do echo it is $n; done",
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const lines = child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
    const writer = child.stdin.getWriter();
    for (let i = 0; i < RESTARTS; i++) {
      const answers = [];
      for (const end of [tunnel.serve, tunnel.connect]) {
        await writer.write(new TextEncoder().encode(`${i}\n`));
        await restart(end);
        let said = "";
        while (!said.endsWith("\n")) {
          said += (await deadline(lines.read(), LONG_MS)).value;
        }
        answers.push(said);
      }
      assertEquals(answers, [`it is ${i}\n`, `it is ${i}\n`]);
    }
    await writer.close();
    assertEquals((await deadline(child.status, LONG_MS)).code, 0);
    await lines.cancel();
    assertEquals(failures(tunnel), []);
  },
});

testWith({
  name:
    "a successor that cannot start leaves all as it was, and a pid file tells who has it",
  needs: ["linux"],
  async fn() {
    const folder = await Deno.makeTempDir();
    const [keys, pid] = [`${folder}/keys`, `${folder}/pid`];
    await Deno.writeTextFile(keys, `k ${"ab".repeat(32)}\n`);
    const pidOf = async () => Number(await Deno.readTextFile(pid));
    using target = echo();
    {
      await using tunnel = await startTunnel(target.port, {
        serve: ["--keys", keys],
        connect: ["--keys", keys, "--pid-file", pid],
        permissions: RESTART_PERMISSIONS,
      });
      assertEquals(await pidOf(), tunnel.connect.pid);
      using conn = await Deno.connect({ ...LOOPBACK, port: tunnel.port });
      const into = new Uint8Array(1);
      await conn.write(new Uint8Array([1]));
      assertEquals(await conn.read(into), 1);
      await restart(tunnel.connect);
      assertEquals(await pidOf(), tunnel.connect.pid);
      await Deno.remove(keys);
      Deno.kill(tunnel.connect.pid, "SIGHUP");
      await tunnel.connect.says(/Cannot restart, and goes on as it is: .*\n/);
      assertStringIncludes(tunnel.connect.said, "there is no such file");
      assertEquals(await pidOf(), tunnel.connect.pid);
      await conn.write(new Uint8Array([2]));
      assertEquals([await conn.read(into), into[0]], [1, 2]);
      using other = await Deno.connect({ ...LOOPBACK, port: tunnel.port });
      await other.write(new Uint8Array([3]));
      assertEquals([await other.read(into), into[0]], [1, 3]);
    }
    await Deno.remove(folder, { recursive: true });
  },
});

testWith({
  name:
    "an end with TLS and keys restarts as well; one that leads to a Unix socket says why it does not",
  needs: ["linux"],
  async fn() {
    const folder = await Deno.makeTempDir();
    const at = (name: string) => `${folder}/${name}`;
    await Deno.writeTextFile(at("ca"), CA_CERTIFICATE);
    await Deno.writeTextFile(at("cert"), CERTIFICATE);
    await Deno.writeTextFile(at("key"), CERTIFICATE_KEY);
    await Deno.writeTextFile(at("keys"), `k ${"ab".repeat(32)}\n`);
    using target = echo();
    using unix = Deno.listen({ transport: "unix", path: at("target") });
    const echoing = unix.accept().then((conn) =>
      conn.readable.pipeTo(conn.writable)
    ).catch(() => {});
    const both = [`127.0.0.1:${target.port}`, `unix:${at("target")}`];
    {
      await using tunnel = await startTunnel(target.port, {
        serve: [
          ...["--cert", at("cert"), "--cert-key", at("key")],
          ...["--keys", at("keys"), "--to", both[1]!],
        ],
        connect: ["--ca", at("ca"), "--keys", at("keys")],
        permissions: [
          ...RESTART_PERMISSIONS,
          `--allow-net=unix:${at("target")}`,
        ],
      });
      let busy = true;
      const talking = Promise.all(
        [1, 2, 3].map(() => talk(tunnel.port, () => busy)),
      );
      for (let i = 0; i < 3; i++) {
        await restart(tunnel.serve);
        await restart(tunnel.connect);
      }
      busy = false;
      await deadline(talking, LONG_MS);
      assertEquals(failures(tunnel), []);
      await using other = new Running(Deno.execPath(), [
        ...["run", "--no-prompt", "-A", "cli.ts", "tunnel", "connect"],
        ...[
          "--listen",
          "127.0.0.1:0",
          "--to",
          `127.0.0.1:${tunnel.proxy.port}`,
        ],
        ...["--ca", at("ca"), "--keys", at("keys"), "--target", both[1]!],
      ]);
      const port = (await other.says(/Listening on 127\.0\.0\.1:(\d+)/))[1];
      using conn = await Deno.connect({ ...LOOPBACK, port: Number(port) });
      const into = new Uint8Array(1);
      await conn.write(new Uint8Array([1]));
      assertEquals(await conn.read(into), 1);
      Deno.kill(tunnel.serve.pid, "SIGHUP");
      await tunnel.serve.says(
        /Cannot restart, and goes on as it is: .*Unix socket.*\n/,
      );
      await conn.write(new Uint8Array([2]));
      assertEquals([await conn.read(into), into[0]], [1, 2]);
    }
    await echoing;
    await Deno.remove(folder, { recursive: true });
  },
});
