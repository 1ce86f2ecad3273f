// deno-lint-ignore-file no-console -- that is what its test looks at
/** As `talk_to_itself.ts`, over brokers by TCP, TLS or WebSocket. */
import { createIdentity, openSignalling } from "../mod.ts";

const brokers = Deno.args;
try {
  const open = async () =>
    await openSignalling({
      ...{ identity: await createIdentity(), brokers, readyTimeoutMs: 5_000 },
    });
  const ann = await open();
  const bob = await open();
  await ann.send(bob.id, new TextEncoder().encode("hello"));
  const { value } = await bob.receive().next();
  console.log(new TextDecoder().decode(value!.bytes));
  await Promise.all([ann.close(), bob.close()]);
} catch (error) {
  console.error((error as Error).message);
  Deno.exit(1);
}
