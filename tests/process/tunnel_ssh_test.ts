/** OpenSSH through a tunnel that is cut all the time, and does not notice. */
import { soaking, testWith } from "@holdfast/testkit";
import { assert, assertEquals } from "@std/assert";
import { deadline } from "@std/async";
import { startSshd } from "./_sshd.ts";
import {
  hashOf,
  randomFile,
  Running,
  soon,
  startTunnel,
  type TunnelWorld,
} from "./_tunnel_world.ts";

const MIB = 1024 * 1024;
const [COPY_BYTES, COPY_CUTS] = soaking() ? [1024 * MIB, 100] : [64 * MIB, 100];
const LINES = soaking() ? 1_000 : 200;
const LONG_MS = 300_000;
// Of a whole process with its runtime: what goes through is many times more.
const RSS_MAX_KB = 400_000;

async function memoryKb({ child }: Running): Promise<number> {
  const status = await Deno.readTextFile(`/proc/${child.pid}/status`);
  return Number(/VmHWM:\s*(\d+) kB/.exec(status)![1]);
}

/** Events of one type that an end has told. */
function told(end: Running, type: string): Record<string, unknown>[] {
  return end.said.split("\n").filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line)).filter((event) => event.type === type);
}

async function bothClosed(tunnel: TunnelWorld): Promise<void> {
  await tunnel.connect.says(/connection-closed/);
  await tunnel.serve.says(/connection-closed/);
  assertEquals(told(tunnel.connect, "connection-failed"), []);
  assertEquals(told(tunnel.serve, "connection-failed"), []);
}

testWith({
  name: `scp of ${
    COPY_BYTES / MIB
  } MiB there and back through ${COPY_CUTS} cuts each is byte-identical, and memory stays bounded`,
  needs: ["linux", "sshd", "ssh", "sh", "unshare"],
  async fn() {
    await using sshd = await startSshd();
    await using tunnel = await startTunnel(sshd.port);
    const { folder } = sshd;
    await randomFile(`${folder}/original`, COPY_BYTES);
    const hash = await hashOf(`${folder}/original`);
    const remote = (name: string) => `127.0.0.1:${folder}/${name}`;
    for (
      const [from, to] of [
        [`${folder}/original`, remote("there")],
        [remote("there"), `${folder}/back`],
      ] as const
    ) {
      await using scp = new Running("scp", [
        ...["-q", ...sshd.options(tunnel.port), from, to],
      ]);
      let over = false;
      const status = scp.child.status.finally(() => over = true);
      await tunnel.cutDuring(COPY_CUTS, COPY_BYTES, () => over);
      assert(!over, `it ended before the last cut: ${scp.said}`);
      const { code } = await deadline(status, LONG_MS);
      assertEquals([code, scp.said], [0, ""]);
    }
    assertEquals(await hashOf(`${folder}/there`), hash);
    assertEquals(await hashOf(`${folder}/back`), hash);
    await bothClosed(tunnel);
    const resumed = told(tunnel.connect, "connection-resumed").length;
    assert(resumed >= COPY_CUTS, `only ${resumed} resumptions`);
    for (const end of [tunnel.serve, tunnel.connect]) {
      const kb = await memoryKb(end);
      assert(kb < RSS_MAX_KB, `it took ${kb} kB at most`);
    }
  },
});

testWith({
  name: "a shell over ssh goes on while its transport is cut between its words",
  needs: ["linux", "sshd", "ssh", "sh", "unshare"],
  async fn() {
    await using sshd = await startSshd();
    await using tunnel = await startTunnel(sshd.port);
    const child = new Deno.Command("ssh", {
      args: [
        ...["-tt", ...sshd.options(tunnel.port), "127.0.0.1"],
        "stty -echo -onlcr; echo ready; exec sh -c 'while read -r n; do echo \"it is $n\"; done'",
      ],
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
    const writer = child.stdin.getWriter();
    let said = "";
    const line = async (): Promise<string> => {
      for (;;) {
        const end = said.indexOf("\n");
        if (end >= 0) {
          const text = said.slice(0, end).trimEnd();
          said = said.slice(end + 1);
          return text;
        }
        const { value } = await deadline(reader.read(), LONG_MS);
        assert(value !== undefined, "ssh ended early");
        said += value;
      }
    };
    try {
      assertEquals(await line(), "ready");
      for (let i = 0; i < LINES; i++) {
        await writer.write(new TextEncoder().encode(`${i}\n`));
        if (i % 4 === 0) tunnel.proxy.cut();
        else if (i % 4 === 2) {
          await soon();
          tunnel.proxy.cut("client");
        }
        assertEquals(await line(), `it is ${i}`);
      }
      await writer.write(new Uint8Array([4])); // Ctrl-D
      await writer.close();
      assertEquals((await deadline(child.status, LONG_MS)).code, 0);
    } finally {
      await reader.cancel();
      await child.status;
    }
    await bothClosed(tunnel);
    assert(told(tunnel.connect, "connection-resumed").length >= LINES / 8);
  },
});
