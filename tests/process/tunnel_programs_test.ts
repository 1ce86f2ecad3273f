/** More programs through a tunnel that is cut all the time: none notices. */
import { testWith } from "@holdfast/testkit";
import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { RedisServer } from "@holdfast/testkit/redis";
import { hashOf, randomFile, Running, startTunnel } from "./_tunnel_world.ts";

const LONG_MS = 240_000;
const CUTS = 100;
const MIB = 1024 * 1024;

testWith({
  name:
    "redis-cli keeps one transaction open through the cuts, and all of it is done",
  needs: ["unix", "redis-server"],
  async fn() {
    await using redis = await RedisServer.start();
    await using tunnel = await startTunnel(redis.port);
    const cli = new Deno.Command("redis-cli", {
      args: ["-h", "127.0.0.1", "-p", String(tunnel.port)],
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const output = cli.output();
    const writer = cli.stdin.getWriter();
    const say = (line: string) =>
      writer.write(new TextEncoder().encode(`${line}\n`));
    await say("MULTI");
    for (let i = 0; i < CUTS; i++) {
      // One at a time: it waits for each answer before it reads the next line.
      for (let j = 0; j < 20; j++) await say("INCR counter");
      await tunnel.cutAlone(i);
    }
    await say("EXEC");
    await writer.close();
    const { code, stdout, stderr } = await deadline(output, LONG_MS);
    const lines = new TextDecoder().decode(stdout).trimEnd().split("\n");
    assertEquals([code, new TextDecoder().decode(stderr)], [0, ""]);
    assertEquals(lines.filter((line) => line === "QUEUED").length, CUTS * 20);
    assertEquals(lines.at(-1), String(CUTS * 20));
    assertEquals(
      await redis.command("GET", "counter"),
      `$${String(CUTS * 20).length}\r\n${CUTS * 20}\r\n`,
    );
  },
});

const UPLOAD_AND_DOWNLOAD = `
import http.client, sys
port, sent, got = int(sys.argv[1]), sys.argv[2], sys.argv[3]
conn = http.client.HTTPConnection("127.0.0.1", port, timeout=200)
with open(sent, "rb") as body:
    conn.request("PUT", "/", body)
with open(got, "wb") as out:
    answer = conn.getresponse()
    while piece := answer.read(65536):
        out.write(piece)
sys.exit(0 if answer.status == 200 else 1)
`;

testWith({
  name: "an HTTP upload, answered by a download of the same, is byte-identical",
  needs: ["unix", "python3"],
  async fn() {
    const folder = await Deno.makeTempDir();
    const bytes = 16 * MIB;
    await randomFile(`${folder}/sent`, bytes);
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen() {} },
      async (request) => new Response(await request.arrayBuffer()),
    );
    await using tunnel = await startTunnel(server.addr.port);
    await using client = new Running("python3", [
      ...["-c", UPLOAD_AND_DOWNLOAD, String(tunnel.port)],
      ...[`${folder}/sent`, `${folder}/got`],
    ]);
    let over = false;
    const status = client.child.status.finally(() => over = true);
    await tunnel.cutDuring(CUTS, 2 * bytes, () => over);
    assert(!over, `it ended before the last cut: ${client.said}`);
    const { code } = await deadline(status, LONG_MS);
    assertEquals([code, client.said], [0, ""]);
    assertEquals(await hashOf(`${folder}/got`), await hashOf(`${folder}/sent`));
    await Deno.remove(folder, { recursive: true });
  },
});
