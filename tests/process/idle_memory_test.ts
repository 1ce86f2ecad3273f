/** What a session costs that says nothing, in a process of its own. */
import { assert } from "@std/assert";
import { measureIdleSessions } from "../../bench/resume/memory.ts";
import type { Plan, Result } from "../../bench/resume/result.ts";

const IDLE_BYTES_MAX = 4 * 1024;

Deno.test("an idle session costs its server 4 KiB at most, attached or not", async () => {
  const plan = { idleSessions: 1_500 } as Plan;
  const result: Result = { ratios: {}, figures: {}, peers: {} };
  await measureIdleSessions(plan, result);
  const { idle_session_bytes, detached_session_bytes } = result.figures;
  assert(Number(idle_session_bytes) <= IDLE_BYTES_MAX, `${idle_session_bytes}`);
  assert(
    Number(detached_session_bytes) <= IDLE_BYTES_MAX,
    `${detached_session_bytes}`,
  );
});
