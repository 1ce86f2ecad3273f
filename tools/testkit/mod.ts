/**
 * What the tests of several packages share. Development only, never published.
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
