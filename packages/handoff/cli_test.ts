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
  name: "handoff run starts a program with its sockets and gives its exit code",
  needs: ["sh"],
  fn: async () => {
    const script =
      'test -S /dev/fd/3 && test -S /dev/fd/4 && echo "$LISTEN_FDS $LISTEN_FDNAMES"; exit 7';
    const listen = ["--listen", "a=0", "--listen", "b=127.0.0.1:0"];
    const [code, stdout, stderr] = await run([
      "run",
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
  name: "handoff run --json tells one object a line, and the program serves",
  needs: ["python3", "sh"],
  timeout: 20_000,
  fn: async () => {
    const receiver = new URL("./testdata/serve.py", import.meta.url).pathname;
    const child = start([
      "run",
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
  name: "handoff run passes signals on",
  needs: ["sh"],
  fn: async () => {
    const child = start([
      "run",
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
    [["run"], 2, "none is given"],
    [["run", "--", "true"], 2, "add --listen"],
    [["run", "--listen", "web", "--", "true"], 2, '"web": it is not NAME='],
    [["run", "--listen", "web=1.2.3.4:99999", "--", "true"], 2, "99999"],
    [["run", "--listen", "a=0", "--listen", "a=0", "true"], 2, "twice"],
    [["run", "--frobnicate"], 2, "--frobnicate"],
    [["run", "--listen", `a=${port}`, "--", "true"], 1, "already in use"],
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
