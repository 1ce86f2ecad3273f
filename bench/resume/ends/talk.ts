/** Numbered messages at a steady rate in both directions, through cuts. */
import type { Handlers } from "./main.ts";
import { type Talk, talkSide } from "./talk_sides.ts";

/** What one end knows of a talk. */
export interface TalkReport {
  /** Messages that arrived once or more. */
  readonly distinct: number;
  /** Messages that arrived again. */
  readonly duplicated: number;
  /** Milliseconds of each pause; of a client. */
  readonly pauses: readonly number[];
  /** How many pauses ended with the session recovered; of a client. */
  readonly recovered: number;
}

/** See the module's comment. */
export function handlers(name: string): Handlers {
  const side = talkSide(name);
  const numbers = new Map<number, number>();
  const pauses: number[] = [];
  let recovered = 0;
  let lostAt: number | undefined;
  let talk: Talk;
  let sent = 0;
  let timer: ReturnType<typeof setInterval>;
  const hooks = {
    received: (n: number) => void numbers.set(n, (numbers.get(n) ?? 0) + 1),
    lost: () => void (lostAt ??= performance.now()),
    back(asBefore: boolean): void {
      if (lostAt === undefined) return;
      pauses.push(performance.now() - lostAt);
      lostAt = undefined;
      if (asBefore) recovered++;
    },
  };
  return {
    async listen(): Promise<number> {
      talk = await side.listen(hooks);
      return talk.port;
    },
    async join({ port }: { port: number }): Promise<void> {
      talk = await side.join(port, hooks);
    },
    start({ everyMs }: { everyMs: number }): void {
      timer = setInterval(() => talk.send(sent++), everyMs);
    },
    stop(): number {
      clearInterval(timer);
      return sent;
    },
    report(): TalkReport {
      let duplicated = 0;
      for (const times of numbers.values()) duplicated += times - 1;
      return { distinct: numbers.size, duplicated, pauses, recovered };
    },
  };
}
