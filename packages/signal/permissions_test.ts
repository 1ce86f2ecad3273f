import { assertEquals } from "@std/assert";
import { fileURLToPath } from "node:url";
import { testWith } from "@holdfast/testkit";
import { startMosquitto } from "@holdfast/testkit/broker";

const DRIVER = fileURLToPath(
  import.meta.resolve("./testdata/talk_to_itself.ts"),
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
