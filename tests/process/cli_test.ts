import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { testWith } from "@holdfast/testkit";
import { type BrokerProcess, startBroker } from "../../tools/broker/spawn.ts";

interface Result {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

async function holdfast(
  args: readonly string[],
  flags: readonly string[] = ["--allow-all"],
): Promise<Result> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-prompt", ...flags, "cli.ts", ...args],
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return {
    code,
    stdout: decoder.decode(stdout),
    stderr: decoder.decode(stderr),
  };
}

Deno.test("holdfast --help lists the commands, and each has a --help that names its permissions", async () => {
  const help = await holdfast(["--help"], []);
  assertEquals([help.code, help.stderr], [0, ""]);
  for (
    const command of [
      ...["watch", "snapshot", "check", "doctor", "failures", "peer", "signal"],
      ...["firewall", "handoff", "tunnel"],
    ]
  ) {
    assertStringIncludes(help.stdout, command);
    const own = await holdfast([command, "--help"]);
    assertEquals([own.code, own.stderr], [0, ""], command);
    assertStringIncludes(own.stdout, "--allow-");
  }
});

Deno.test("bad usage is told in one sentence, with exit code 2", async () => {
  for (
    const args of [["fly"], ["check"], ["watch", "--nonsense"], ["toString"]]
  ) {
    const { code, stdout, stderr } = await holdfast(args);
    assertEquals([code, stdout], [2, ""], args.join(" "));
    assert(stderr !== "" && !stderr.includes("    at "), stderr);
  }
  assertEquals((await holdfast([])).code, 2);
});

Deno.test("holdfast check tells a port that answers from one that does not", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const target = `127.0.0.1:${listener.addr.port}`;
  const open = await holdfast(["check", target, "--json"]);
  listener.close();
  assertEquals(open.code, 0);
  for (const line of open.stdout.trimEnd().split("\n")) JSON.parse(line);
  const closed = await holdfast(["check", target, "--deadline", "300"]);
  assertEquals(closed.code, 1);
  assert(!closed.stderr.includes("    at "));
});

Deno.test("holdfast snapshot --json prints one object", async () => {
  const { code, stdout } = await holdfast(["snapshot", "--json"]);
  assertEquals(code, 0);
  const snapshot = JSON.parse(stdout);
  assert(Array.isArray(snapshot.interfaces));
});

Deno.test("flags are the same everywhere: --help, -h and help COMMAND; --json; --version", async () => {
  const { version } = JSON.parse(await Deno.readTextFile("deno.json"));
  assertEquals((await holdfast(["--version"], [])).stdout, `${version}\n`);
  for (const command of ["peer", "signal", "tunnel", "firewall"]) {
    const texts = await Promise.all(
      [["help", command], [command, "-h"], [command, "--help"]]
        .map(async (args) => (await holdfast(args)).stdout),
    );
    assert(texts.every((text) => text === texts[0]), command);
    assertStringIncludes(texts[0]!, "--json");
  }
  const meant = await holdfast(["dcotor"], []);
  assertStringIncludes(meant.stderr, "did you mean doctor?");
});

/** The file with the script for a shell, beside a `holdfast` that does nothing. */
async function completion(shell: string): Promise<string> {
  const { code, stdout, stderr } = await holdfast(["completion", shell], []);
  assertEquals([code, stderr], [0, ""]);
  const path = await Deno.makeTempFile({ suffix: `.${shell}` });
  await Deno.writeTextFile(path, stdout);
  return path;
}

async function words(command: string, args: string[]): Promise<string[]> {
  const { success, stdout, stderr } = await new Deno.Command(command, {
    args,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  assert(success, decoder.decode(stderr));
  return decoder.decode(stdout).split(/\s+/).filter((word) => word !== "");
}

testWith({
  name: "bash completes commands, their commands and their options",
  needs: ["bash"],
  async fn() {
    const path = await completion("bash");
    const ask = (...line: string[]) =>
      words("bash", [
        "--norc",
        "-c",
        `. '${path}'; COMP_WORDS=(${line.join(" ")})
         COMP_CWORD=${line.length - 1}; _holdfast; echo "\${COMPREPLY[@]}"`,
      ]);
    assertEquals(await ask("holdfast", "tu"), ["tunnel"]);
    assertEquals(await ask("holdfast", "tunnel", "se"), ["serve"]);
    assertEquals(await ask("holdfast", "signal", "pe"), ["peers"]);
    assertEquals(await ask("holdfast", "peer", "listen", "--open"), [
      "--open-firewall",
    ]);
    await Deno.remove(path);
  },
});

testWith({
  name: "fish completes commands, their commands and their options",
  needs: ["fish"],
  async fn() {
    const path = await completion("fish");
    const ask = (line: string) =>
      words("fish", ["-N", "-c", `source ${path}; complete -C '${line}'`]);
    assertEquals(await ask("holdfast tu"), ["tunnel"]);
    assertEquals(await ask("holdfast tunnel se"), ["serve"]);
    assertEquals(await ask("holdfast peer listen --open"), ["--open-firewall"]);
    await Deno.remove(path);
  },
});

testWith({
  name: "zsh completes commands, their commands and their options",
  needs: ["zsh"],
  async fn() {
    const path = await completion("zsh");
    // compadd tells what it is given; the rest of the machinery needs a terminal.
    const ask = (...line: string[]) =>
      words("zsh", [
        "-f",
        "-c",
        `autoload -U compinit; compinit -u -d ${path}.dump; . ${path}
         [[ \${_comps[holdfast]} == _holdfast ]] || exit 3
         compadd() { shift; print -- $@ }; _files() { : }
         words=(${line.join(" ")}); CURRENT=\${#words}; _holdfast`,
      ]);
    assert((await ask("holdfast", "tu")).includes("tunnel"));
    const tunnel = await ask("holdfast", "tunnel", "se");
    assert(tunnel.includes("serve") && tunnel.includes("--keys"));
    await Deno.remove(path);
    await Deno.remove(`${path}.dump`);
  },
});

Deno.test("deno install -g makes a holdfast command, as the README says", async () => {
  const root = await Deno.makeTempDir();
  const install = await new Deno.Command(Deno.execPath(), {
    args: ["install", "-g", "-n", "holdfast", "--allow-all", "cli.ts"],
    env: { DENO_INSTALL_ROOT: root },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  assert(install.success, decoder.decode(install.stderr));
  // The wrapper looks for deno on the path.
  const path = `${Deno.execPath().replace(/\/[^/]*$/, "")}:${
    Deno.env.get("PATH")
  }`;
  const { code, stdout } = await new Deno.Command(`${root}/bin/holdfast`, {
    args: ["--version"],
    env: { PATH: path },
  }).output();
  assertEquals([code, decoder.decode(stdout)], [0, "0.1.0\n"]);
  await Deno.remove(root, { recursive: true });
});

Deno.test("two holdfast peers talk to each other through a broker", async () => {
  await using broker: BrokerProcess = await startBroker();
  const peer = (...args: string[]) =>
    new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-check", "--no-prompt", "-A", "cli.ts", "peer"],
        ...[...args, "--broker", broker.url],
      ],
      ...{ stdin: "piped", stdout: "piped", stderr: "piped" },
    }).spawn();
  const say = async (child: Deno.ChildProcess, text: string) => {
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(text));
    await writer.close();
  };
  const listening = peer("listen", "--hostname", "127.0.0.1");
  const reader = listening.stdout.getReader();
  const { value } = await reader.read();
  const id = new TextDecoder().decode(value).trim();
  assert(/^[A-Za-z0-9_-]{43}$/.test(id), id);
  const connecting = peer("connect", id);
  await say(connecting, "hello from here\n");
  await say(listening, "and from there\n");
  const { code, stdout } = await connecting.output();
  assertEquals([code, new TextDecoder().decode(stdout)], [
    0,
    "and from there\n",
  ]);
  let heard = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    heard += new TextDecoder().decode(value);
  }
  assertEquals(heard, "hello from here\n");
  assertEquals((await listening.status).code, 0);
  await listening.stderr.cancel();
});
