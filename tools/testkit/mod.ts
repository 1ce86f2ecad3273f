/**
 * What the tests of several packages share. Development only, never published.
 *
 * ```ts
 * import { runs, testWith } from "@holdfast/testkit";
 * import { assert } from "@std/assert";
 *
 * const registered = testWith; // testWith({ name, needs: ["mosquitto"], fn })
 * assert(runs(100) >= 100 && registered !== undefined);
 * ```
 *
 * @module
 */
export {
  missing,
  type Part,
  type PartTest,
  type Program,
  requireAll,
  testWith,
} from "./parts.ts";
export { runs, soaking } from "./soak.ts";
