import { Emitter, EventReader } from "@holdfast/events/emitter";
import {
  brokenPromise,
  countRules,
  look,
  runSteps,
  sharedUfwSteps,
  takeBack,
  type Workplace,
} from "./_apply.ts";
import { flowsOf } from "./_flows.ts";
import { judge } from "./_judge.ts";
import type { LedgerFile } from "./_ledger.ts";
import type { LinuxFacts } from "./_linux_facts.ts";
import { now, type Opening } from "./_opening.ts";
import { planLinux } from "./_plan_linux.ts";
import { renewSteps } from "./_renew_steps.ts";
import { describeAsked } from "./_request.ts";
import { FirewallError } from "./errors.ts";
import type { FirewallEvent } from "./firewall_event.ts";
import type { Lease, LeaseOptions, LeaseState } from "./lease.ts";
import type { Outcome } from "./outcome.ts";
import type { PlanStep } from "./plan.ts";
import type { AccessRequest } from "./request.ts";

/** A lease, and all that may happen to it, one thing after the other. */
export class HeldLease extends EventReader<FirewallEvent> implements Lease {
  readonly #emitter: Emitter<FirewallEvent>;
  readonly #place: Workplace;
  readonly #opening: Opening;
  readonly #file: LedgerFile;
  readonly #options: LeaseOptions;
  readonly #release: () => Promise<void>;
  #state: LeaseState = "open";
  #steps: readonly PlanStep[] = [];
  #expires: number | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #renewAt = Infinity;
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    place: Workplace,
    opening: Opening,
    file: LedgerFile,
    options: LeaseOptions,
    release: () => Promise<void>,
  ) {
    const emitter = new Emitter<FirewallEvent>();
    super(emitter);
    this.#emitter = emitter;
    this.#place = place;
    this.#opening = opening;
    this.#file = file;
    this.#options = options;
    this.#release = release;
  }

  get id(): string {
    return this.#opening.terms.id;
  }

  get tag(): string {
    return this.#opening.terms.tag;
  }

  get request(): AccessRequest {
    return this.#opening.request;
  }

  get state(): LeaseState {
    return this.#state;
  }

  get steps(): readonly PlanStep[] {
    return this.#steps;
  }

  get expires(): number | undefined {
    return this.#expires;
  }

  /** Runs steps and makes sure of them; the caller has the ledger for itself. */
  async open(
    steps: readonly PlanStep[],
    promised: Outcome,
    facts: LinuxFacts,
  ): Promise<void> {
    const { ledger } = this.#place;
    const shared = sharedUfwSteps(steps, facts);
    this.#steps = steps;
    await this.#write("intent");
    try {
      await runSteps(this.#place, steps.filter((step) => !shared.has(step)));
      await this.#makeSure(promised, steps.length - shared.size);
    } catch (error) {
      await takeBack(this.#place, [this.id], await ledger.read());
      throw error;
    }
    this.#expires = this.#nextExpiry();
    await this.#write("open");
    this.#state = "open";
    this.#schedule();
    const event = { id: this.id, expires: this.#expires };
    const why = steps.length > 0 ? "its rules were read back" : "it is let in";
    this.#emitter.emit({ type: "opened", why, ...event });
  }

  async check(): Promise<Outcome> {
    return await this.#exclusive(() => this.#check());
  }

  async renew(): Promise<void> {
    await this.#exclusive(async () => {
      if (this.#state === "open") await this.#renew();
    });
  }

  async revert(): Promise<void> {
    await this.#exclusive(async () => {
      if (this.#state === "reverted" || this.#state === "detached") return;
      this.#stop();
      const { ledger } = this.#place;
      await ledger.exclusive(async () => {
        await this.#write("reverting");
        await takeBack(this.#place, [this.id], await ledger.read());
        await this.#file.remove();
      });
      this.#state = "reverted";
      const flows = await flowsOf(this.#place.run, this.#opening.asked);
      await this.#release();
      const why = "it was asked to";
      this.#emitter.emit({ type: "reverted", id: this.id, why, flows });
      this.#emitter[Symbol.dispose]();
    });
  }

  async detach(): Promise<void> {
    await this.#exclusive(async () => {
      if (this.#state !== "open") return;
      this.#stop();
      await this.#write("open", true);
      this.#file.close();
      this.#state = "detached";
      await this.#release();
      this.#emitter[Symbol.dispose]();
    });
  }

  /** It never came to be: nothing is held. */
  async abandon(): Promise<void> {
    this.#stop();
    this.#state = "reverted";
    await this.#file.remove();
    await this.#release();
    this.#emitter[Symbol.dispose]();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.revert();
  }

  async #makeSure(promised: Outcome, rules: number): Promise<void> {
    const { asked } = this.#opening;
    const facts = await look(this.#place, asked);
    const broken = brokenPromise(facts, asked, promised);
    if (broken === undefined && countRules(facts, this.id) >= rules) return;
    throw new FirewallError(
      "firewall/not-opened",
      `Cannot open ${describeAsked(asked)}: the tools reported success, but ${
        broken?.why ?? "its rules are not there"
      }`,
    );
  }

  async #check(): Promise<Outcome> {
    const { asked } = this.#opening;
    const facts = await look(this.#place, asked);
    const outcome = judge(facts, asked);
    if (this.#state !== "open" && this.#state !== "lost") return outcome;
    const gone = this.#steps.length > 0 && countRules(facts, this.id) === 0 &&
      sharedUfwSteps(this.#steps, facts).size === 0;
    if (!gone && outcome.status !== "blocked-by") {
      this.#state = "open";
      return outcome;
    }
    if (this.#state === "open") {
      const { id } = this;
      const why = gone ? "its rules are gone" : outcome.why;
      this.#emitter.emit(
        gone
          ? { type: "flushed-by-other", id, why }
          : { type: "blocked", id, why, outcome },
      );
      this.#state = "lost";
    }
    return this.#options.reopen === false
      ? outcome
      : await this.#reopen(outcome);
  }

  async #reopen(outcome: Outcome): Promise<Outcome> {
    const { asked, terms } = this.#opening;
    const { ledger } = this.#place;
    try {
      return await ledger.exclusive(async () => {
        await takeBack(this.#place, [this.id], await ledger.read());
        const facts = await look(this.#place, asked);
        const plan = planLinux(facts, asked, { ...terms, now: now() });
        if (plan.status === "refused") throw new Error(plan.why);
        const { steps, after } = plan.status === "ready"
          ? plan
          : { steps: [], after: plan.outcome };
        await this.open(steps, after, facts);
        return judge(await look(this.#place, asked), asked);
      });
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      this.#emitter.emit({ type: "blocked", id: this.id, why, outcome });
      return outcome;
    }
  }

  async #renew(): Promise<void> {
    const { asked, terms } = this.#opening;
    if (terms.leaseSeconds === undefined || this.#steps.length === 0) return;
    const { ledger } = this.#place;
    await ledger.exclusive(async () => {
      const facts = await look(this.#place, asked);
      const own = { ...terms, now: now() };
      await runSteps(this.#place, renewSteps(facts, asked, own));
      this.#expires = this.#nextExpiry();
      await this.#write("open");
    });
    const event = { id: this.id, expires: this.#expires! };
    this.#emitter.emit({ type: "renewed", why: "its program lives", ...event });
  }

  #nextExpiry(): number | undefined {
    const { leaseSeconds } = this.#opening.terms;
    if (leaseSeconds === undefined) return undefined;
    this.#renewAt = now() + leaseSeconds / 3;
    return now() + leaseSeconds;
  }

  /** Looks and renews in time; the program may end meanwhile. */
  #schedule(): void {
    this.#stop();
    const { watchSeconds = 30, renew = true } = this.#options;
    const wait = Math.min(
      watchSeconds,
      renew ? Math.max(this.#renewAt - now(), 1) : Infinity,
    );
    const timer = setTimeout(() => {
      this.#tick().catch(() => {}).then(() => {
        if (this.#timer !== undefined) this.#schedule();
      });
    }, wait * 1000);
    Deno.unrefTimer(timer);
    this.#timer = timer;
  }

  async #tick(): Promise<void> {
    await this.#exclusive(async () => {
      try {
        await this.#check();
        const due = this.#options.renew !== false && now() >= this.#renewAt;
        if (due && this.#state === "open") await this.#renew();
      } catch (error) {
        const why = error instanceof Error ? error.message : String(error);
        const outcome = undefined;
        this.#emitter.emit({ type: "blocked", id: this.id, why, outcome });
      }
    });
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #write(
    state: "intent" | "open" | "reverting",
    detached?: boolean,
  ): Promise<void> {
    const { request, consent } = this.#opening;
    await this.#file.write({
      ...{ version: 1, id: this.id, tag: this.tag, state, request },
      ...{ steps: this.#steps, expires: this.#expires, detached, consent },
      at: now(),
    });
  }

  #exclusive<T>(what: () => Promise<T>): Promise<T> {
    const result = this.#last.then(what);
    this.#last = result.catch(() => {});
    return result;
  }
}
