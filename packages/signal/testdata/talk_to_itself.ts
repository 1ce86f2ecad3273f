// deno-lint-ignore-file no-console -- that is what its test looks at
/** Two ends in one program, over the brokers that it is given. */
import { createIdentity, openSignalling } from "../browser.ts";

const brokers = Deno.args;
const ann = await openSignalling({ identity: await createIdentity(), brokers });
const bob = await openSignalling({ identity: await createIdentity(), brokers });
await ann.send(bob.id, new TextEncoder().encode("hello"));
const { value } = await bob.receive().next();
console.log(new TextDecoder().decode(value!.bytes));
await Promise.all([ann.close(), bob.close()]);
