import { assert, assertEquals, assertRejects } from "@std/assert";
import { testWith } from "@holdfast/testkit";
import { createSocket } from "node:dgram";
import { detach } from "./detach.ts";
import { HandoffError } from "./error.ts";
import { countFds, countFdsAtMost } from "./testdata/fds.ts";
import { libc, useLibc } from "./_libc.ts";
import { listen } from "./listen.ts";
import { sdMessages, sdNotify } from "./sd_notify.ts";
import type { PassableListener } from "./listener.ts";
import { spawnWithSockets } from "./spawn.ts";
import type { SpawnedProcess } from "./spawned.ts";

// Else the first test would seem to leak it.
useLibc();
libc();

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
    const child = await spawnWithSockets("sh", { web, admin }, {
      args: [
        "-c",
        'test "$LISTEN_PID" = $$ && echo "$LISTEN_FDS $LISTEN_FDNAMES $OWN" && test -S /dev/fd/3 && test -S /dev/fd/4 && ! test -e /dev/fd/5',
      ],
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
    const child = await spawnWithSockets("printf", {}, {
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
    const child = await spawnWithSockets("sh", { web }, {
      args: [
        "-c",
        'test "$HOLDFAST_CONTROL_FD" = 4 && IFS= read -r line <&4 && echo "got $line" >&4',
      ],
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
  const child = await spawnWithSockets(command, sockets, { args });
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
      const child = await spawnWithSockets(command, { web }, {
        args,
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
    () => spawnWithSockets("true", { "a:b": web }),
    TypeError,
    '"a:b" is no name',
  );
  web.close();
  await assertRejects(
    () => spawnWithSockets("true", { web }),
    Deno.errors.BadResource,
  );
  const signal = AbortSignal.abort(new Error("not today"));
  await assertRejects(
    () => spawnWithSockets("true", {}, { signal }),
    Error,
    "not today",
  );
});

testWith({
  name:
    "spawnWithSockets() tells a program that is not there by code 127, and a folder that is not there at once",
  needs: ["sh"],
  fn: async () => {
    const child = await spawnWithSockets("no-such-program", {}, {
      stderr: "null",
    });
    assertEquals((await child.status).code, 127);
    const error = await assertRejects(
      () => spawnWithSockets("true", {}, { cwd: "/no/such/folder" }),
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
    const child = await spawnWithSockets("sleep", {}, { args: ["60"], signal });
    abort.abort();
    assertEquals((await child.status).signal, "SIGTERM");
    const other = await spawnWithSockets("sleep", {}, { args: ["60"] });
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
    const child = await spawnWithSockets(Deno.execPath(), { web }, {
      args: [
        "run",
        "--allow-env=LISTEN_FDS,LISTEN_PID,LISTEN_FDNAMES,HOLDFAST_CONTROL_FD",
        path("inherit.ts"),
      ],
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

for (
  const [protocol, script, answer] of [
    ["systemd", 'echo "$LISTEN_FDS:$LISTEN_FDNAMES"', "1:web"],
    ["nginx", 'echo "$NGINX:${LISTEN_FDS-none}"', "3;:none"],
    ["einhorn", 'echo "$EINHORN_FD_COUNT:$EINHORN_FD_0"', "1:3"],
  ] as const
) {
  testWith({
    name: `spawnWithSockets() tells as ${protocol} does`,
    needs: ["sh"],
    fn: async () => {
      using web = await listen({ port: 0 });
      const child = await spawnWithSockets("sh", { web }, {
        args: ["-c", `test -S /dev/fd/3 && ${script}`],
        protocol,
        stdout: "piped",
      });
      assertEquals(await textOf(child.stdout!), `${answer}\n`);
      assertEquals((await child.status).code, 0);
    },
  });
}

testWith({
  name: "spawnWithSockets() passes a connection as inetd does",
  needs: ["sh"],
  fn: async () => {
    using web = await listen({ port: 0 });
    const { hostname, port } = web.addr;
    const [client, conn] = await Promise.all([
      Deno.connect({ hostname, port }),
      web.accept(),
    ]);
    using held = await detach(conn);
    const child = await spawnWithSockets("sh", { conn: held }, {
      args: ["-c", 'read -r line; echo "got $line"'],
      protocol: "inetd",
    });
    held.close();
    await client.write(new TextEncoder().encode("hello\n"));
    assertEquals(await textOf(client.readable), "got hello\n");
    assertEquals((await child.status).code, 0);
    await assertRejects(
      () => spawnWithSockets("sh", {}, { protocol: "inetd" }),
      TypeError,
      "exactly one",
    );
    await assertRejects(
      () => spawnWithSockets("sh", {}, { protocol: "x" as "inetd" }),
      TypeError,
      "one of",
    );
  },
});

for (const protocol of ["systemd", "einhorn", "nginx"] as const) {
  testWith({
    name: `inheritedSockets() takes all kinds in from ${protocol}`,
    needs: ["sh"],
    timeout: 30_000,
    fn: async () => {
      using web = await listen({ port: 0 });
      const { hostname, port } = web.addr;
      const [client, conn] = await Promise.all([
        Deno.connect({ hostname, port }),
        web.accept(),
      ]);
      using held = await detach(conn);
      const udp = createSocket("udp4");
      await new Promise<void>((resolve) => udp.bind(0, hostname, resolve));
      using datagram = await detach(udp);
      await using child = await spawnWithSockets(Deno.execPath(), {
        web,
        conn: held,
        udp: datagram,
      }, {
        // No --allow-net and no FFI: what is inherited works.
        args: [
          "run",
          "--no-prompt",
          "--no-check",
          "--allow-env",
          path("inherit_kinds.ts"),
        ],
        protocol,
      });
      held.close();
      assertEquals(
        await textOf(client.readable),
        JSON.stringify({
          listeners: [protocol === "systemd" ? "web" : `${protocol}.0`],
          others: ["tcp-conn", "udp"],
          port,
        }),
      );
      await child.status;
    },
  });
}

testWith({
  name: "real servers take a listener: gunicorn and nginx",
  needs: ["linux", "gunicorn", "nginx", "sh"],
  timeout: 60_000,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    await Deno.writeTextFile(
      `${folder}/app.py`,
      "def app(env, start):\n  start('200 OK', [])\n  return [b'gunicorn serves']\n",
    );
    {
      using web = await listen({ port: 0 });
      await using _child = await spawnWithSockets("gunicorn", { web }, {
        args: ["--chdir", folder, "app:app"],
        stderr: "null",
      });
      assert((await ask(web)).includes("gunicorn serves"));
    }
    {
      using web = await listen({ port: 0 });
      const { hostname, port } = web.addr;
      await Deno.writeTextFile(
        `${folder}/nginx.conf`,
        `daemon off; pid ${folder}/pid; error_log /dev/null;
        events {} http { access_log off;
          server { listen ${hostname}:${port}; return 200 "nginx serves"; } }`,
      );
      await using _child = await spawnWithSockets("nginx", { web }, {
        args: ["-p", folder, "-c", `${folder}/nginx.conf`],
        protocol: "nginx",
        stderr: "null",
      });
      assert((await ask(web)).includes("nginx serves"));
    }
  },
});

testWith({
  name:
    "a listener of systemd-socket-activate is taken in, and inetd's connection",
  needs: ["linux", "systemd-socket-activate"],
  timeout: 60_000,
  fn: async () => {
    using reserved = await listen({ port: 0 });
    const { hostname, port } = reserved.addr;
    reserved.close();
    const deno = [Deno.execPath(), "run", "--no-check", "--allow-env"];
    for (
      const [flags, script, answer] of [
        [["--fdname=web"], "inherit.ts", '{"names":["web"]'],
        [["--inetd", "-a"], "inetd.ts", "tcp-conn"],
      ] as const
    ) {
      const child = new Deno.Command("systemd-socket-activate", {
        args: ["-l", `${hostname}:${port}`, ...flags, ...deno, path(script)],
        stderr: "null",
      }).spawn();
      let conn: Deno.TcpConn | undefined;
      while (conn === undefined) {
        conn = await Deno.connect({ hostname, port }).catch(() => undefined);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
      const text = await textOf(conn.readable);
      assert(text.startsWith(answer), text);
      try {
        child.kill();
      } catch (error) {
        if (!(error instanceof TypeError)) throw error; // It has ended.
      }
      await child.status;
    }
  },
});

testWith({
  name: "sdNotify() tells states, and hands sockets over to be stored",
  needs: ["linux", "python3"],
  fn: async () => {
    const folder = await Deno.makeTempDir();
    const script = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM); s.bind(sys.argv[1]); print("listening", flush=True)
for _ in range(2):
    data, fds, flags, _ = socket.recv_fds(s, 4096, 10)
    print(repr(data.decode()), [socket.socket(fileno=f).getsockname()[1] for f in fds], flush=True)`;
    const child = new Deno.Command("python3", {
      args: ["-c", script, `${folder}/n`],
      stdout: "piped",
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
    let text = (await reader.read()).value!;
    const before = Deno.env.get("NOTIFY_SOCKET");
    Deno.env.set("NOTIFY_SOCKET", `${folder}/n`);
    const web = await listen({ port: 0 });
    const { port } = web.addr;
    using held = await detach(web);
    assertEquals(
      await sdNotify({
        ready: true,
        mainPid: 7,
        status: "a\nb",
        store: { web: held },
      }),
      true,
    );
    if (before === undefined) Deno.env.delete("NOTIFY_SOCKET");
    for (let part; (part = (await reader.read()).value) !== undefined;) {
      text += part;
    }
    assertEquals(
      text,
      `listening\n'MAINPID=7\\nREADY=1\\nSTATUS=a b' []\n'FDSTORE=1\\nFDNAME=web' [${port}]\n`,
    );
    await child.status;
    assertEquals(sdMessages({ reloading: true, unstore: ["x"] }, 5n), [
      { text: "RELOADING=1\nMONOTONIC_USEC=5" },
      { text: "FDSTOREREMOVE=1\nFDNAME=x" },
    ]);
  },
});
