import type { PlanTerms } from "./_plan_linux.ts";
import type { Asked } from "./_request.ts";
import type { AccessRequest } from "./request.ts";

/** What a lease is made of. */
export interface Opening {
  readonly request: AccessRequest;
  readonly asked: Asked;
  readonly terms: Omit<PlanTerms, "now">;
  readonly consent: string | undefined;
}

/** Seconds since 1970. */
export function now(): number {
  return Date.now() / 1000;
}
