// deno-lint-ignore-file no-console -- it prints what it finds.
/** Run by transfer_test.ts with no permission at all. */
import { type HandoffError, openSender, receiveSockets } from "../mod.ts";

for (
  const go of [
    () => openSender("/tmp/x"),
    () => Promise.resolve(receiveSockets("/tmp/x")),
  ]
) {
  try {
    await go();
  } catch (error) {
    const { code, message } = error as HandoffError;
    console.log(code, message.includes("node's channel"));
  }
}
