/** The Redis of the tests of `@holdfast/resume`. */
export { RedisServer } from "../../packages/resume/testdata/redis_server.ts";
