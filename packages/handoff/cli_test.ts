import { assert, assertEquals } from "@std/assert";
import { testWith } from "@holdfast/testkit";

const CLI = new URL("./cli.ts", import.meta.url).pathname;
const PERMISSIONS = [
  "--allow-net=127.0.0.1",
  "--allow-run",
  "--allow-env",
];

function start(args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...PERMISSIONS, CLI, ...args],
    stdout: "piped",
    stderr: "piped",
  }).spawn();
}

async function run(args: string[]): Promise<[number, string, string]> {
  const { code, stdout, stderr } = await start(args).output();
  const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
  return [code, text(stdout), text(stderr)];
}

testWith({
  name:
    "handoff exec starts a program with its sockets and gives its exit code",
  needs: ["sh"],
  fn: async () => {
    const script =
      'test -S /dev/fd/3 && test -S /dev/fd/4 && echo "$LISTEN_FDS $LISTEN_FDNAMES"; exit 7';
    const listen = ["--listen", "a=0", "--listen", "b=127.0.0.1:0"];
    const [code, stdout, stderr] = await run([
      "exec",
      ...listen,
      "--",
      "sh",
      "-c",
      script,
    ]);
    assertEquals([code, stdout, stderr], [7, "2 a:b\n", ""]);
  },
});

testWith({
  name: "handoff exec --json tells one object a line, and the program serves",
  needs: ["python3", "sh"],
  timeout: 20_000,
  fn: async () => {
    const receiver = new URL("./testdata/serve.py", import.meta.url).pathname;
    const child = start([
      "exec",
      "--json",
      "--listen",
      "web=127.0.0.1:0",
      "--",
      "python3",
      receiver,
    ]);
    const lines = child.stdout.pipeThrough(new TextDecoderStream());
    let text = "";
    for await (const part of lines) {
      text += part;
      if (!text.includes('"started"')) continue;
      if (text.includes('"exited"')) continue;
      const { port } = JSON.parse(text.split("\n")[0]!);
      using conn = await Deno.connect({ hostname: "127.0.0.1", port });
      await conn.write(new TextEncoder().encode("GET / HTTP/1.1\r\n\r\n"));
      assert(await conn.read(new Uint8Array(100)) !== null);
    }
    assertEquals((await child.status).code, 0);
    await child.stderr.cancel();
    const events = text.trim().split("\n").map((line) => JSON.parse(line).type);
    assertEquals(events, ["listening", "started", "exited"]);
  },
});

testWith({
  name: "handoff exec passes signals on",
  needs: ["sh"],
  fn: async () => {
    const child = start([
      "exec",
      "--listen",
      "a=0",
      "--",
      "sh",
      "-c",
      'trap "exit 5" TERM; echo up; while :; do sleep 0.05; done',
    ]);
    const reader = child.stdout.getReader();
    await reader.read();
    child.kill("SIGTERM");
    assertEquals((await child.status).code, 5);
    await reader.cancel();
    await child.stderr.cancel();
  },
});

Deno.test("handoff tells bad usage in one sentence", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const port = taken.addr.port;
  const cases: [string[], number, string][] = [
    [[], 2, 'Cannot do "nothing"'],
    [["fly"], 2, 'Cannot do "fly"'],
    [["exec", "--listen", "0"], 2, "none is given"],
    [["exec", "--", "true"], 2, "--listen is missing"],
    [["exec", "--listen", "web", "--", "true"], 2, '"web": it is not NAME='],
    [["exec", "--listen", "web=1.2.3.4:99999", "--", "true"], 2, "99999"],
    [["exec", "--listen", "a=0", "--listen", "a=0", "true"], 2, "twice"],
    [["exec", "--frobnicate"], 2, "--frobnicate"],
    [["exec", "--to", "x"], 2, "--to is not for it"],
    [["exec", "--listen", "0", "--protocol", "x", "--", "true"], 2, '"x"'],
    [["exec", "--listen", "0", "--wait", "-1", "--", "true"], 2, "wait"],
    [["send", "--to", "/tmp/x"], 2, "--connect is missing"],
    [["send", "--connect", "x", "--to", "/tmp/x"], 2, "Cannot connect to"],
    [["send", "--connect", "1", "--to", "/no"], 1, "see whether it listens"],
    [["listen", "--listen", "0", "--to", "/no", "ls"], 2, "runs no program"],
    [["receive", "--at", "/no/such/folder/x"], 1, "ffi"],
    [["hold", "--listen", "0", "--at", "@x"], 1, "ffi"],
    [["exec", "--listen", `a=${port}`, "--", "true"], 1, "already in use"],
  ];
  const results = await Promise.all(cases.map(([args]) => run(args)));
  for (const [index, [code, stdout, stderr]] of results.entries()) {
    const [args, expected, words] = cases[index]!;
    assertEquals([code, stdout], [expected, ""], args.join(" "));
    assert(stderr.includes(words), stderr);
    assertEquals(stderr.trim().split("\n").length, 1, stderr);
    assert(!stderr.includes("    at "), stderr);
  }
  const [code, help] = await run(["--help"]);
  assertEquals(code, 0);
  assert(help.includes("--allow-run"));
});

/** With what paths need. */
function startAll(args: string[]): Deno.ChildProcess {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", "-A", CLI, ...args],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
}

/** The lines that a program prints, as they come. */
async function* linesOf(child: Deno.ChildProcess) {
  let text = "";
  for await (const part of child.stdout.pipeThrough(new TextDecoderStream())) {
    text += part;
    const whole = text.split("\n");
    text = whole.pop()!;
    yield* whole;
  }
}

async function answerAt(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/`);
  return await response.text();
}

async function privateFolder(): Promise<string> {
  const folder = await Deno.makeTempDir();
  await Deno.chmod(folder, 0o700);
  return folder;
}

testWith({
  name: "handoff exec runs a real gunicorn",
  needs: ["linux", "gunicorn", "sh"],
  timeout: 60_000,
  fn: async () => {
    const folder = await privateFolder();
    await Deno.writeTextFile(
      `${folder}/app.py`,
      "def app(env, start):\n  start('200 OK', [])\n  return [b'gunicorn serves']\n",
    );
    const child = startAll([
      ...["exec", "--json", "--listen", "127.0.0.1:0", "--"],
      ...["gunicorn", "--log-level", "critical", "--chdir", folder, "app:app"],
    ]);
    for await (const line of linesOf(child)) {
      const { type, port } = JSON.parse(line);
      if (type !== "listening") continue;
      assertEquals(await answerAt(port), "gunicorn serves");
      child.kill("SIGTERM");
    }
    assertEquals((await child.status).code, 0);
  },
});

testWith({
  name: "handoff hold: kill -9 of the program refuses nobody",
  needs: ["unix", "python3", "sh"],
  timeout: 60_000,
  fn: async () => {
    const script = `
import http.server, os, socket
class H(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(str(os.getpid()).encode())
    def log_message(self, *a): pass
s = http.server.HTTPServer(("", 0), H, False); s.socket.close(); s.socket = socket.socket(fileno=3)
import select
while True:
    select.select([s.socket], [], [])
    try: s.handle_request()
    except BlockingIOError: pass`;
    const child = startAll([
      ...["hold", "--json", "--listen", "127.0.0.1:0", "--"],
      ...["python3", "-c", script],
    ]);
    let port = 0, killed = 0;
    const asked: Promise<string>[] = [];
    const pids = new Set<string>();
    for await (const line of linesOf(child)) {
      const event = JSON.parse(line);
      if (event.type === "listening") port = event.port;
      if (event.type !== "started") continue;
      pids.add(await answerAt(port));
      if (killed++ === 3) break;
      Deno.kill(event.pid, "SIGKILL");
      // Nobody runs now: who asks waits for the next one.
      asked.push(answerAt(port));
    }
    for (const answer of asked) pids.add(await answer);
    assertEquals(pids.size, 4);
    child.kill("SIGTERM");
    assertEquals((await child.status).code, 0);
  },
});

testWith({
  name: "handoff listen and send give sockets to handoff receive",
  needs: ["linux", "sh"],
  timeout: 60_000,
  fn: async () => {
    const folder = await privateFolder();
    const at = `${folder}/sockets`;
    const tokenFile = `${folder}/token`;
    await Deno.writeTextFile(tokenFile, "secret");
    const token = ["--token-file", tokenFile];
    const receiver = startAll([
      ...["receive", "--at", at, "--count", "2", ...token, "--"],
      ...[
        "sh",
        "-c",
        'test -S /dev/fd/3 || { read -r line; echo "got $line"; }',
      ],
    ]);
    while (!(await Deno.lstat(at).catch(() => undefined))?.isSocket) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    const listen = ["listen", "--listen", "web=127.0.0.1:0", "--to", at];
    const refused = await run(["listen", "--listen", "0", "--to", at]);
    assertEquals([refused[0], refused[2].trim().split("\n").length], [1, 1]);
    const given = startAll([...listen, ...token]);
    assertEquals((await given.status).code, 0);
    await given.stdout.cancel();
    using server = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const { port } = server.addr;
    const sending = startAll([
      "send",
      "--connect",
      `${port}`,
      "--to",
      at,
      ...token,
    ]);
    using conn = await server.accept();
    await conn.write(new TextEncoder().encode("hello\n"));
    assertEquals(await new Response(conn.readable).text(), "got hello\n");
    assertEquals((await sending.status).code, 0);
    await sending.stdout.cancel();
    const kinds: string[] = [];
    for await (const line of linesOf(receiver)) {
      kinds.push(JSON.parse(line).kind);
    }
    assertEquals(kinds, ["tcp-listener", "tcp-conn"]);
    assertEquals((await receiver.status).code, 0);
  },
});
