import { assert, assertEquals } from "@std/assert";
import { testWith } from "@holdfast/testkit";

const SERVER = new URL("./testdata/handover_server.ts", import.meta.url)
  .pathname;

/** What a connection answers to a line: the server's pid, and a count. */
async function ask(conn: Deno.Conn, line: string): Promise<[string, number]> {
  await conn.write(new TextEncoder().encode(line + "\n"));
  const buffer = new Uint8Array(64);
  const count = await conn.read(buffer);
  const text = new TextDecoder().decode(buffer.subarray(0, count ?? 0));
  const [pid = "", number = ""] = text.trim().split(" ");
  return [pid, Number(number)];
}

for (const mode of ["pass", "fail"]) {
  testWith({
    name: mode === "pass"
      ? "open connections go on in the successor, with their state"
      : "open connections come back when the successor crashes with them",
    needs: ["unix", "sh"],
    timeout: 60_000,
    fn: async () => {
      const server = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", SERVER, mode],
        stdout: "piped",
      }).spawn();
      const lines = server.stdout.getReader();
      const port = Number(new TextDecoder().decode((await lines.read()).value));
      const conns = await Promise.all(
        Array.from(
          { length: 5 },
          () => Deno.connect({ hostname: "127.0.0.1", port }),
        ),
      );
      const pids = new Set<string>();
      for (const conn of conns) {
        const [pid, count] = await ask(conn, "hello");
        pids.add(pid);
        assertEquals(count, 1);
      }
      await ask(conns[0]!, "upgrade");
      const first = String(server.pid);
      let last = first;
      // Each line is answered once and counted, by whoever has the connection.
      for (let round = 2; round < 200; round++) {
        for (const [index, conn] of conns.entries()) {
          const [pid, count] = await ask(conn, "hello");
          assertEquals(count, round + (index === 0 ? 1 : 0));
          last = pid;
          pids.add(pid);
        }
        await new Promise((resolve) => setTimeout(resolve, 10));
        if (mode === "pass" && pids.size === 2 && round > 20) break;
      }
      assertEquals(pids.size, mode === "pass" ? 2 : 1);
      assertEquals(last === first, mode === "fail");
      conns.forEach((conn) => conn.close());
      for (const pid of new Set([...pids, first])) {
        try {
          Deno.kill(Number(pid), "SIGKILL");
        } catch (error) {
          assert(error instanceof Deno.errors.NotFound);
        }
      }
      await server.status;
      await lines.cancel();
    },
  });
}
