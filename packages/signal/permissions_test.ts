import { assertEquals, assertMatch } from "@std/assert";
import { fileURLToPath } from "node:url";
import { testWith } from "@holdfast/testkit";
import { startMosquitto } from "@holdfast/testkit/broker";
import {
  CA_CERTIFICATE,
  CERTIFICATE,
  CERTIFICATE_KEY,
} from "@holdfast/testkit/certificates";

const DRIVER = fileURLToPath(
  import.meta.resolve("./testdata/talk_to_itself.ts"),
);
const EITHER = fileURLToPath(
  import.meta.resolve("./testdata/talk_by_any_way.ts"),
);

testWith({
  name: "by WebSocket it needs the right to the network, and no other",
  needs: ["mosquitto"],
  async fn() {
    await using broker = await startMosquitto({ websockets: true });
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        ...["run", "--no-prompt", "--no-check", "--allow-net=127.0.0.1"],
        ...[DRIVER, broker.url],
      ],
      env: { NO_COLOR: "1" },
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    assertEquals([code, text(stdout)], [0, "hello\n"], text(stderr));
  },
});

for (const websockets of [false, true]) {
  const protocol = websockets ? "wss" : "mqtts";
  testWith({
    name:
      `by ${protocol}: it talks with a broker that is trusted, and says why not with another`,
    needs: ["mosquitto"],
    async fn() {
      const tls = { cert: CERTIFICATE, key: CERTIFICATE_KEY };
      await using broker = await startMosquitto({ websockets, tls });
      assertEquals(new URL(broker.url).protocol, `${protocol}:`);
      const folder = await Deno.makeTempDir();
      const authority = `${folder}/ca.pem`;
      await Deno.writeTextFile(authority, CA_CERTIFICATE);
      const talk = async (...flags: string[]) => {
        const command = new Deno.Command(Deno.execPath(), {
          args: [
            ...["run", "--no-prompt", "--no-check", "--ignore-env"],
            ...["--allow-net=127.0.0.1", ...flags, EITHER, broker.url],
          ],
          env: { NO_COLOR: "1" },
        });
        const { code, stdout, stderr } = await command.output();
        const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
        return { code, out: text(stdout), err: text(stderr) };
      };
      const trusted = await talk(`--cert=${authority}`);
      assertEquals([trusted.code, trusted.out], [0, "hello\n"], trusted.err);
      const other = await talk();
      assertEquals([other.code, other.out], [1, ""]);
      assertMatch(other.err, /^Cannot open signalling: no broker within/);
      await Deno.remove(folder, { recursive: true });
    },
  });
}
