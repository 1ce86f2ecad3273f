/** Two streams over a proxy that cuts, told to OpenTelemetry; see telemetry_test.ts. */
import { connect, serve } from "@holdfast/holdfast";
import { instrument } from "@holdfast/holdfast/otel";
import { CutProxy } from "@holdfast/testkit/proxy";

await using server = await serve((conn) => conn.readable.pipeTo(conn.writable));
await using proxy = await CutProxy.start();
proxy.forward("127.0.0.1", (server.addr as Deno.NetAddr).port);
using _server = instrument(server);
const conn = await connect(`127.0.0.1:${proxy.port}`, {
  ...{ network: false, redialMaxMs: 50 },
});
const echoed = async () => {
  for (let n = 0; n < 10;) n += (await conn.read(new Uint8Array(10)))!;
};
await conn.write(new Uint8Array(10));
await echoed();
for (let i = 0; i < 3; i++) {
  const resumed = conn.once("resumed");
  await conn.write(new Uint8Array(10));
  proxy.cut();
  await resumed;
  // The echo shows that the server goes on, too.
  await echoed();
}
await conn.closeWrite();
await conn.readable.pipeTo(new WritableStream());
await conn[Symbol.asyncDispose]();
