/** `holdfast tunnel` as its users meet it: what it says, and where it listens. */
import { testWith } from "@holdfast/testkit";
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { deadline, delay } from "@std/async";
import {
  CA_CERTIFICATE,
  CERTIFICATE,
  CERTIFICATE_KEY,
} from "@holdfast/testkit/certificates";
import { freePort, Running, startTunnel } from "./_tunnel_world.ts";

const STALL_MS = 60_000;
const LOOPBACK = { hostname: "127.0.0.1", port: 0 };

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function tunnel(...args: string[]): Promise<Ended> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "--no-prompt", "--allow-net", "--allow-read"],
      ...["--allow-write", "cli.ts", "tunnel", ...args],
    ],
    stdin: "null",
  }).output();
  const [out, err] = [stdout, stderr].map((said) =>
    new TextDecoder().decode(said)
  );
  return { code, stdout: out!, stderr: err! };
}

/** One sentence, and no stack. */
function clear({ stdout, stderr }: Ended, what: string): void {
  assertEquals(stdout, "");
  assertStringIncludes(stderr, what);
  assertEquals(stderr.trimEnd().split("\n").length, 1, stderr);
}

async function keyFile(folder: string, name: string): Promise<string> {
  const { code, stdout } = await tunnel("key", name);
  assertEquals(code, 0);
  const file = `${folder}/${name}`;
  await Deno.writeTextFile(file, stdout);
  return file;
}

Deno.test("bad usage of the tunnel is told in one sentence, with exit code 2", async () => {
  const listen = ["--listen", "127.0.0.1:0"];
  for (
    const [args, what] of [
      [[], "no command"],
      [["fly"], '"fly"'],
      [["serve", ...listen], "--to"],
      [["connect", "--to", "127.0.0.1:1"], "--listen"],
      [["serve", ...listen, "--to", "nonsense"], '"nonsense"'],
      [["serve", ...listen, "--to", "a:1", "--cert", "x"], "--cert-key"],
      [["serve", ...listen, "--to", "a:1", "--ttl", "soon"], "ttl"],
      [["connect", ...listen, "--to", "a:1", "--nonsense"], "nonsense"],
    ] as const
  ) {
    const ended = await tunnel(...args);
    assertEquals(ended.code, 2, ended.stderr);
    clear(ended, what);
  }
});

Deno.test("a port that is taken, a file that is missing, and an open door are told of, with exit code 1", async () => {
  using taken = Deno.listen(LOOPBACK);
  const address = `127.0.0.1:${(taken.addr as Deno.NetAddr).port}`;
  const serve = await tunnel("serve", "--listen", address, "--to", "a:1");
  assertEquals(serve.code, 1);
  clear(serve, `Cannot listen on ${address}: another program has it`);
  const free = ["--listen", "127.0.0.1:0", "--to", "127.0.0.1:1"];
  const keys = await tunnel("serve", ...free, "--keys", "/no/such/file");
  assertEquals(keys.code, 1);
  clear(keys, "Cannot read /no/such/file: there is no such file");
  const open = await tunnel(
    ...["serve", "--listen", "0.0.0.0:0", "--to", "127.0.0.1:22"],
  );
  assertEquals(open.code, 1);
  clear(open, "without keys");
});

Deno.test("a wrong key, no key and a wrong peer end connect at its start, each with its own sentence", async () => {
  const folder = await Deno.makeTempDir();
  const [right, wrong] = [
    await keyFile(folder, "right"),
    await keyFile(folder, "wrong"),
  ];
  {
    await using world = await startTunnel(freePort(), {
      serve: ["--keys", right],
      connect: ["--keys", right],
    });
    const to = ["--to", `127.0.0.1:${world.proxy.port}`];
    const listen = ["--listen", "127.0.0.1:0"];
    for (const keys of [["--keys", wrong], []]) {
      const ended = await tunnel("connect", ...listen, ...to, ...keys);
      assertEquals(ended.code, 1);
      clear(ended, "the same pre-shared key");
    }
    await world.serve.says(/handshake-refused/);
  }
  using http = Deno.listen(LOOPBACK);
  (async () => {
    for await (const conn of http) {
      await conn.write(new TextEncoder().encode("HTTP/1.1 400 Bad\r\n\r\n"));
      conn.close();
    }
  })();
  const { port } = http.addr as Deno.NetAddr;
  const strange = await tunnel(
    ...["connect", "--listen", "127.0.0.1:0", "--to", `127.0.0.1:${port}`],
  );
  assertEquals(strange.code, 1);
  clear(strange, "not a Holdfast resume handshake");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a tunnel over TLS carries bytes, and a client that does not trust its certificate says so", async () => {
  const folder = await Deno.makeTempDir();
  const write = (name: string, text: string) =>
    Deno.writeTextFile(`${folder}/${name}`, text);
  await write("ca", CA_CERTIFICATE);
  await write("cert", CERTIFICATE);
  await write("key", CERTIFICATE_KEY);
  using target = Deno.listen(LOOPBACK);
  {
    await using world = await startTunnel((target.addr as Deno.NetAddr).port, {
      serve: ["--cert", `${folder}/cert`, "--cert-key", `${folder}/key`],
      connect: ["--ca", `${folder}/ca`],
    });
    using program = await Deno.connect({
      hostname: "127.0.0.1",
      port: world.port,
    });
    using reached = await deadline(target.accept(), STALL_MS);
    await program.write(new TextEncoder().encode("secret"));
    world.proxy.cut();
    await program.write(new TextEncoder().encode("!"));
    const into = new Uint8Array(16);
    for (let at = 0; at < 7;) at += (await reached.read(into.subarray(at)))!;
    assertEquals(new TextDecoder().decode(into.subarray(0, 7)), "secret!");
    await using distrusting = new Running(Deno.execPath(), [
      ...["run", "--no-prompt", "--allow-net", "cli.ts", "tunnel", "connect"],
      ...["--listen", "127.0.0.1:0", "--tls"],
      ...["--to", `127.0.0.1:${world.proxy.port}`],
    ]);
    await distrusting.says(
      /Cannot reach .* yet: .*(UnknownIssuer|certificate)/,
    );
  }
  await Deno.remove(folder, { recursive: true });
});

/** The ports at which a process listens, as its kernel says. */
async function listensAt(pid: number): Promise<string[]> {
  const inodes = new Set<string>();
  for await (const { name } of Deno.readDir(`/proc/${pid}/fd`)) {
    const link = await Deno.readLink(`/proc/${pid}/fd/${name}`).catch(() => "");
    const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
    if (inode !== undefined) inodes.add(inode);
  }
  const found: string[] = [];
  for (const table of ["tcp", "tcp6", "udp", "udp6"]) {
    const text = await Deno.readTextFile(`/proc/${pid}/net/${table}`);
    for (const line of text.split("\n").slice(1)) {
      const [, local, , state, , , , , , inode] = line.trim().split(/\s+/);
      const waits = table.startsWith("udp") || state === "0A";
      if (waits && inodes.has(inode ?? "")) found.push(`${table} ${local}`);
    }
  }
  return found;
}

testWith({
  name:
    "neither end of a tunnel listens at more than the one port that was asked for",
  needs: ["linux"],
  async fn() {
    using target = Deno.listen(LOOPBACK);
    await using world = await startTunnel((target.addr as Deno.NetAddr).port);
    using _program = await Deno.connect({
      hostname: "127.0.0.1",
      port: world.port,
    });
    using _reached = await deadline(target.accept(), STALL_MS);
    const hex = (port: number) =>
      `tcp 0100007F:${port.toString(16).toUpperCase().padStart(4, "0")}`;
    const [, far] = await world.serve.says(/127\.0\.0\.1:(\d+)"/);
    assertEquals(await listensAt(world.serve.child.pid), [hex(Number(far))]);
    assertEquals(await listensAt(world.connect.child.pid), [hex(world.port)]);
  },
});

testWith({
  name:
    "asked to end, connect takes nobody new, and ends with its last connection",
  needs: ["unix"],
  async fn() {
    const target = Deno.listen(LOOPBACK);
    await using world = await startTunnel((target.addr as Deno.NetAddr).port);
    const connect = () =>
      Deno.connect({ hostname: "127.0.0.1", port: world.port });
    using program = await connect();
    using reached = await deadline(target.accept(), STALL_MS);
    world.connect.child.kill("SIGTERM");
    // Until it has closed its port. Those who still got in end again.
    const others = (async () => {
      for await (const conn of target) {
        await conn.read(new Uint8Array(1)).catch(() => {});
        conn.close();
      }
    })();
    for (let refused = false; !refused;) {
      refused = await connect().then(
        (conn) => (conn.close(), false),
        () => true,
      );
      await delay(5);
    }
    await program.write(new TextEncoder().encode("last"));
    await program.closeWrite();
    assertEquals(await reached.read(new Uint8Array(8)), 4);
    await reached.closeWrite();
    const { code } = await deadline(world.connect.child.status, STALL_MS);
    assertEquals(code, 0);
    target.close();
    await others;
  },
});

testWith({
  name:
    "a Unix socket that a killed end has left is taken over, one that is in use is not, and others may not read it",
  needs: ["unix"],
  async fn() {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/entry`;
    const start = () =>
      new Running(Deno.execPath(), [
        ...["run", "--no-prompt", "-A", "cli.ts", "tunnel", "serve"],
        ...["--listen", `unix:${path}`, "--to", "127.0.0.1:1"],
      ]);
    {
      await using first = start();
      await first.says(/Listening/);
      const { mode } = await Deno.stat(path);
      assertEquals(mode! & 0o077, 0);
      const second = await tunnel(
        ...["serve", "--listen", `unix:${path}`, "--to", "127.0.0.1:1"],
      );
      assertEquals(second.code, 1);
      clear(second, "another program has it");
    }
    assert((await Deno.lstat(path)).isSocket);
    await using again = start();
    await again.says(/Listening/);
    await Deno.remove(folder, { recursive: true });
  },
});

testWith({
  name:
    "a target that is down is told at both ends in one sentence, and a terminal has a line that lives",
  needs: ["linux", "script"],
  async fn() {
    const port = freePort();
    await using serve = new Running(Deno.execPath(), [
      ...["run", "--no-prompt", "-A", "cli.ts", "tunnel", "serve"],
      ...["--listen", "127.0.0.1:0", "--to", `127.0.0.1:${port}`],
    ]);
    const far = (await serve.says(/Listening on 127\.0\.0\.1:(\d+)/))[1];
    // At a pseudo-terminal of its own.
    await using connect = new Running("script", [
      ...["-q", "-e", "-c"],
      `exec ${Deno.execPath()} run --no-prompt -A cli.ts tunnel connect --listen 127.0.0.1:0 --to 127.0.0.1:${far}`,
      "/dev/null",
    ]);
    const near = (await connect.says(/Listening on 127\.0\.0\.1:(\d+)/))[1];
    await connect.says(/0 of 0 connections open/);
    using program = await Deno.connect({ ...LOOPBACK, port: Number(near) });
    const ended = await deadline(program.read(new Uint8Array(1)), STALL_MS)
      .catch(() => null);
    assertEquals(ended, null);
    const sentence = new RegExp(
      `Connection \\d+: Cannot open a tunnel to 127\\.0\\.0\\.1:${port}: the server cannot reach it: [^\\n]+\\n`,
    );
    await serve.says(sentence);
    await connect.says(
      new RegExp(sentence.source.replace("\\n]+\\n", "\\r\\n]+\\r\\n")),
    );
    await connect.says(/0 of 1 connections open .* 1 failed/);
    assert(!/ {4}at |Stack/.test(serve.said + connect.said));
  },
});
