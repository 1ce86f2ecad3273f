/**
 * What to do when networking fails: {@linkcode classify} judges any error,
 * {@linkcode dial} connects within a deadline and keeps trying as long as that
 * is of use, {@linkcode backoff} and {@linkcode retryBudget} keep clients from
 * coming back as a herd, and {@linkcode failures} lists the known ways in
 * which connections fail.
 *
 * ```ts
 * import { classify, dial } from "@holdfast/recovery";
 * import { assertEquals } from "@std/assert";
 *
 * using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
 * const good = { hostname: "127.0.0.1", port: listener.addr.port };
 *
 * // Two candidates: the second is tried as soon as the first has failed.
 * const retired = { hostname: "127.0.0.1", port: 1 };
 * using conn = await dial([retired, good], { deadlineMs: 2_000 });
 * assertEquals(conn.remoteAddr.port, good.port);
 *
 * // An error is judged by its code, and not by its class.
 * const error = await Deno.connect(retired).catch((error) => error);
 * const { action, failure } = classify(error);
 * assertEquals([action, failure], ["wait", "refused"]);
 * ```
 *
 * @module
 */
export type { ErrnoTable } from "./_errno.ts";
export { backoff, type BackoffOptions, OUTAGE_BACKOFF } from "./backoff.ts";
export {
  type BreakerStatus,
  type CircuitBreaker,
  circuitBreaker,
  type CircuitBreakerOptions,
} from "./circuit_breaker.ts";
export { classify, type ClassifyOptions } from "./classify.ts";
export {
  connectFrom,
  type NodeConnection,
  type UplinkTarget,
} from "./connect_from.ts";
export { dial } from "./dial.ts";
export type {
  AttemptEvent,
  Closable,
  ConnectContext,
  Connector,
  DialOptions,
  DialTarget,
  DialTcpOptions,
  DialTlsConfig,
  DialTlsOptions,
  DialWithOptions,
} from "./dial_options.ts";
export { RecoveryError, type RecoveryErrorCode } from "./errors.ts";
export type { Failure, FailureId, Layer, Platform } from "./failure.ts";
export { failures } from "./failures.ts";
export {
  type NetworkPause,
  type NetworkSource,
  pausedWhile,
} from "./paused_while.ts";
export {
  type RetryBudget,
  retryBudget,
  type RetryBudgetOptions,
} from "./retry_budget.ts";
export {
  type AcceptEvent,
  type Acceptor,
  superviseAccept,
  type SuperviseAcceptOptions,
  type SupervisedListener,
} from "./supervise_accept.ts";
export {
  type ServeEvent,
  type SuperviseAnyServeOptions,
  type SupervisedServer,
  superviseServe,
  type SuperviseServeOptions,
  type SuperviseServeUnixOptions,
} from "./supervise_serve.ts";
export type { NotUsable } from "./_usable_rules.ts";
export type { Action, Verdict } from "./verdict.ts";
export {
  type Liveness,
  type LivenessEvent,
  watchLiveness,
  type WatchLivenessOptions,
} from "./liveness_watch.ts";
export {
  type Usable,
  whenUsable,
  type WhenUsableOptions,
} from "./when_usable.ts";
export {
  type FamilyMemory,
  familyMemory,
  type FamilyOutcome,
} from "./family_memory.ts";
export { type Latched, latched, type LatchedOptions } from "./latched.ts";
export {
  resolve,
  type Resolved,
  type ResolvedAddress,
  type ResolveOptions,
} from "./resolve.ts";
export { retry, type RetryContext, type RetryOptions } from "./retry.ts";
export { type TimedReader, timedReader } from "./timed_reader.ts";
export { writeAll, type WriteAllOptions } from "./write_all.ts";
