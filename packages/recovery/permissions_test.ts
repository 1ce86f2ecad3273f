import { startDnsServer } from "@holdfast/testkit/dns";
import { assertEquals, assertStringIncludes } from "@std/assert";

/** Runs a module with these permissions, and gives the line that it prints. */
async function withPermissions(
  permissions: readonly string[],
  code: string,
  env: Readonly<Record<string, string>> = {},
): Promise<string> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--no-prompt", "--no-check", ...permissions, "-"],
    cwd: new URL(".", import.meta.url),
    ...{ stdin: "piped", stdout: "piped", stderr: "piped" },
    env: { NO_COLOR: "1", ...env },
  }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(`
    import { dial, resolve, watchLiveness, whenUsable } from "${
    import.meta.resolve("./mod.ts")
  }";
    const said = await (async () => { ${code} })()
      .catch((error) => error.code ?? error.name);
    console.log(said);
  `));
  await writer.close();
  const { stdout, stderr } = await process.output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  return text(stdout) || text(stderr);
}

Deno.test("resolve() needs no more than its server, and says what is missing", async () => {
  await using dns = await startDnsServer({ four: "192.0.2.4" });
  const ask = `const { addresses } = await resolve("ok.test", {
    servers: ["${dns.address}"], families: ["v4"], hosts: false,
  });
  return addresses[0].address;`;
  const told: Record<string, string> = {};
  for (
    const permission of [
      `--allow-net=${dns.address}`,
      `--allow-net=${dns.address},0.0.0.0:0`,
      "--allow-net=192.0.2.9:1",
      "--allow-read",
    ]
  ) {
    told[permission] = await withPermissions([permission], ask);
  }
  assertEquals(Object.values(told), [
    ...["192.0.2.4", "192.0.2.4", "NotCapable", "NotCapable"],
  ], JSON.stringify(told));
});

Deno.test("the doctor takes what it may not ask for no fault, and says so", async () => {
  const hidden = async (permissions: readonly string[], target: string) => {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-prompt", "--no-check", ...permissions]
        .concat(
          [new URL("./cli.ts", import.meta.url).pathname, "doctor", target],
        ),
      env: { NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder().decode(stdout);
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""], text);
    return text;
  };
  const none = await hidden([], "127.0.0.1:9");
  assertStringIncludes(none, "– system ");
  assertStringIncludes(none, "pass --allow-net=127.0.0.1:9\nNothing wrong was");
  assertStringIncludes(await hidden([], "a.example:9"), "– names ");
  // Datagrams to the next hop may not be sent, and nobody may be connected to.
  const local = ["--allow-read=/etc", "--allow-run=ip"];
  assertStringIncludes(await hidden(local, "192.0.2.9:9"), "– connection ");
});

Deno.test("dial() with permission for its target alone has the system look it up", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  // The hosts file is not asked here, so that a name server would have to be.
  const code =
    `const conn = await dial({ hostname: "localhost", port: ${port} }, {
    resolve: { hosts: false, servers: ["127.0.0.1:9"] }, deadlineMs: 5_000,
  });
  conn.close();
  return "connected";`;
  const permissions = [`--allow-net=localhost:${port}`, "--allow-read"];
  assertEquals(await withPermissions(permissions, code), "connected");
});

Deno.test("whenUsable() waits for no permission", async () => {
  const code = `await whenUsable({ hostname: "192.0.2.1", port: 9 });`;
  assertEquals(await withPermissions([], code), "NotCapable");
});

Deno.test("watchLiveness() does not claim the kernel's word where there is no ss", async () => {
  const code = `
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    using conn = await Deno.connect(listener.addr);
    using watch = watchLiveness(conn, { lookMs: 5 });
    while (watch.by.length > 0) await new Promise((end) => setTimeout(end, 5));
    return "nothing";`;
  const permissions = ["--allow-net", "--allow-run"];
  const path = { PATH: "/nonexistent" };
  assertEquals(await withPermissions(permissions, code, path), "nothing");
});
