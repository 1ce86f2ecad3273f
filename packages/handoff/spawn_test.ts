import { assert, assertEquals, assertRejects } from "@std/assert";
import { testWith } from "@holdfast/testkit";
import { HandoffError } from "./error.ts";
import { countFds, countFdsAtMost } from "./testdata/fds.ts";
import { listen } from "./listen.ts";
import type { PassableListener } from "./listener.ts";
import { spawnWithSockets } from "./spawn.ts";
import type { SpawnedProcess } from "./spawned.ts";

async function textOf(stream: ReadableStream<Uint8Array>): Promise<string> {
  return await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>)
    .text();
}

function path(name: string): string {
  return new URL(`./testdata/${name}`, import.meta.url).pathname;
}

testWith({
  name: "spawnWithSockets() says by the environment what it passes",
  needs: ["sh"],
  fn: async () => {
    using web = await listen({ port: 0 });
    using admin = await listen({ port: 0 });
    const child = await spawnWithSockets("sh", {
      args: [
        "-c",
        'test "$LISTEN_PID" = $$ && echo "$LISTEN_FDS $LISTEN_FDNAMES $OWN" && test -S /dev/fd/3 && test -S /dev/fd/4 && ! test -e /dev/fd/5',
      ],
      sockets: { web, admin },
      env: { OWN: "yes" },
      stdout: "piped",
    });
    assertEquals(await textOf(child.stdout!), "2 web:admin yes\n");
    assertEquals(await child.status, { success: true, code: 0, signal: null });
  },
});

testWith({
  name: "spawnWithSockets() passes arguments and quotes as they are",
  needs: ["sh"],
  fn: async () => {
    const nasty = `a b'"$(exit 9)\n;\\`;
    const child = await spawnWithSockets("printf", {
      args: ["%s|", nasty, ""],
      env: { PATH: "/usr/bin:/bin" },
      clearEnv: true,
      stdout: "piped",
    });
    assertEquals(await textOf(child.stdout!), `${nasty}||`);
    await child.status;
  },
});

testWith({
  name: "spawnWithSockets() opens a control channel",
  needs: ["sh"],
  fn: async () => {
    using web = await listen({ port: 0 });
    const child = await spawnWithSockets("sh", {
      args: [
        "-c",
        'test "$HOLDFAST_CONTROL_FD" = 4 && IFS= read -r line <&4 && echo "got $line" >&4',
      ],
      sockets: { web },
      control: true,
    });
    const control = child.control!;
    await control.write(new TextEncoder().encode("hello\n"));
    const buffer = new Uint8Array(64);
    const count = (await control.read(buffer))!;
    const text = new TextDecoder().decode(buffer.subarray(0, count));
    assertEquals(text, "got hello\n");
    assertEquals(await control.read(buffer), null);
    assertEquals((await child.status).code, 0);
    control.close();
  },
});

/** What the program answers on the passed socket to a plain HTTP request. */
async function ask(listener: PassableListener): Promise<string> {
  const { hostname, port } = listener.addr;
  const conn = await Deno.connect({ hostname, port });
  const request = "GET /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";
  await conn.write(new TextEncoder().encode(request));
  return (await textOf(conn.readable)).split("\r\n\r\n")[1]!;
}

async function askReceiver(
  command: string,
  args: string[],
): Promise<[string, SpawnedProcess]> {
  using web = await listen({ port: 0 });
  using other = await listen({ port: 0 });
  const sockets = { other, web };
  const child = await spawnWithSockets(command, { args, sockets });
  return [await ask(web), child];
}

testWith({
  timeout: 20_000,
  name: "a Python process serves the socket that it was passed",
  needs: ["python3", "sh"],
  fn: async () => {
    const [answer, child] = await askReceiver("python3", [path("serve.py")]);
    assertEquals(answer, "python GET /x HTTP/1.1");
    assertEquals((await child.status).code, 0);
  },
});

testWith({
  timeout: 20_000,
  name: "a Node process serves the socket that it was passed",
  needs: ["node", "sh"],
  fn: async () => {
    const [answer, child] = await askReceiver("node", [path("serve.cjs")]);
    assertEquals(answer.includes("node GET /x"), true, answer);
    assertEquals((await child.status).code, 0);
  },
});

testWith({
  name: "passing a listener does not make this process hang in accept",
  needs: ["sh"],
  fn: async () => {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", path("blocked.ts")],
      signal: AbortSignal.timeout(8_000),
    }).output();
    assertEquals(new TextDecoder().decode(stdout), "turning\n");
  },
});

testWith({
  name: "spawnWithSockets() leaks no descriptor, whatever the program does",
  needs: ["sh"],
  fn: async () => {
    using web = await listen({ port: 0 });
    const run = async (command: string, args: string[]): Promise<void> => {
      const child = await spawnWithSockets(command, {
        args,
        sockets: { web },
        control: true,
        stdout: "null",
        stderr: "null",
      });
      await child.status;
      child.control!.close();
    };
    await run("true", []);
    const before = await countFds();
    for (let i = 0; i < 7; i++) {
      await run("true", []);
      await run("no-such-program", []);
      await run("sh", ["-c", "kill -9 $$"]);
    }
    const after = await countFdsAtMost(before);
    assert(after <= before, `${before} descriptors became ${after}`);
  },
});

Deno.test("spawnWithSockets() refuses bad names, closed listeners and an aborted signal", async () => {
  const web = await listen({ port: 0 });
  await assertRejects(
    () => spawnWithSockets("true", { sockets: { "a:b": web } }),
    TypeError,
    '"a:b" is no name',
  );
  web.close();
  await assertRejects(
    () => spawnWithSockets("true", { sockets: { web } }),
    Deno.errors.BadResource,
  );
  const signal = AbortSignal.abort(new Error("not today"));
  await assertRejects(
    () => spawnWithSockets("true", { signal }),
    Error,
    "not today",
  );
});

testWith({
  name:
    "spawnWithSockets() tells a program that is not there by code 127, and a folder that is not there at once",
  needs: ["sh"],
  fn: async () => {
    const child = await spawnWithSockets("no-such-program", { stderr: "null" });
    assertEquals((await child.status).code, 127);
    const error = await assertRejects(
      () => spawnWithSockets("true", { cwd: "/no/such/folder" }),
      HandoffError,
    );
    assertEquals(error.code, "handoff/spawn-failed");
  },
});

testWith({
  name: "aborting the signal and disposing end the program",
  needs: ["sh"],
  fn: async () => {
    const abort = new AbortController();
    const { signal } = abort;
    const child = await spawnWithSockets("sleep", { args: ["60"], signal });
    abort.abort();
    assertEquals((await child.status).signal, "SIGTERM");
    const other = await spawnWithSockets("sleep", { args: ["60"] });
    await other[Symbol.asyncDispose]();
    assertEquals((await other.status).signal, "SIGTERM");
    other.kill();
  },
});

testWith({
  name:
    "inheritedSockets() takes the sockets in once, and needs no net permission",
  needs: ["sh"],
  fn: async () => {
    using web = await listen({ port: 0 });
    const child = await spawnWithSockets(Deno.execPath(), {
      args: [
        "run",
        "--allow-env=LISTEN_FDS,LISTEN_PID,LISTEN_FDNAMES,HOLDFAST_CONTROL_FD",
        path("inherit.ts"),
      ],
      sockets: { web },
    });
    const { hostname, port } = web.addr;
    const conn = await Deno.connect({ hostname, port });
    assertEquals(JSON.parse(await textOf(conn.readable)), {
      names: ["web"],
      again: 0,
      port,
      variables: [],
    });
    assertEquals((await child.status).code, 0);
  },
});

testWith({
  name:
    "inheritedSockets() refuses a descriptor that is no listening TCP socket",
  needs: ["sh"],
  fn: async () => {
    const { stdout } = await new Deno.Command("sh", {
      args: [
        "-c",
        'LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=web exec "$@" 3</dev/null',
        "sh",
        Deno.execPath(),
        "run",
        "--allow-env",
        path("inherit.ts"),
      ],
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert(text.startsWith("handoff/bad-inheritance "), text);
    assert(text.includes("descriptor 3 is not a listening TCP socket"), text);
  },
});
