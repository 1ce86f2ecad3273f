/** What happens to the processes: brokers, the server and the client. */
import type { BrokerProcess } from "../../tools/broker/spawn.ts";
import type { Action } from "./actions.ts";
import { goesOn } from "./link_actions.ts";
import { isGone, stateOf } from "./processes.ts";
import type { Stage } from "./stage.ts";

/** By their names. */
export function processActions(stage: Stage): [string, Action][] {
  const brokers = stage.brokers.flatMap((broker, i): [string, Action][] => [
    [`kill-broker-${i + 1}`, killBroker(stage, broker, i + 1)],
    [`start-broker-${i + 1}`, startBroker(stage, broker, i + 1)],
  ]);
  return [
    ["replace-server", replaceServer(stage)],
    ["kill-server", killServer(stage)],
    ["sleep", sleep(stage)],
    ["wake", wake(stage)],
    ...brokers,
  ];
}

function killBroker(stage: Stage, broker: BrokerProcess, n: number): Action {
  return {
    title: `Kill broker ${n}`,
    about: `broker-${n}`,
    why: () => {
      if (!stage.brokersUp.has(broker)) return "it is dead already";
      return stage.serverStarts && stage.brokersUp.size === 1
        ? "a server process starts, and has no other broker"
        : undefined;
    },
    run: async () => {
      const { pid, port } = broker;
      // Before it dies: nobody may count on it from now on.
      stage.brokersUp.delete(broker);
      await broker.kill();
      await stage.until(() => isGone(pid), `process ${pid} did not die`);
      await stage.seeOpen(port, false);
      return `broker ${n}, process ${pid}, is dead by kill -9, and port ${port} refuses connections`;
    },
  };
}

function startBroker(stage: Stage, broker: BrokerProcess, n: number): Action {
  return {
    title: `Start broker ${n}`,
    about: `broker-${n}`,
    why: () => stage.brokersUp.has(broker) ? "it runs already" : undefined,
    run: async () => {
      await broker.restart();
      stage.brokersUp.add(broker);
      const { pid, port } = broker;
      await stage.seeOpen(port, true);
      return `process ${pid} is broker ${n} now, on the same port ${port}`;
    },
  };
}

/** Why no server process can be started that goes on with the stream. */
function cannotStart({ facts, brokersUp }: Stage): string | undefined {
  if (!facts.server.accepted) return "it has no stream yet";
  return brokersUp.size > 0
    ? undefined
    : "no broker runs, and a new process must reach one: start one first";
}

/** While a server process starts it keeps its last broker. */
function starting(
  stage: Stage,
  run: () => Promise<string>,
): () => Promise<string> {
  return async () => {
    stage.serverStarts = true;
    try {
      return await run();
    } finally {
      stage.serverStarts = false;
    }
  };
}

function replaceServer(stage: Stage): Action {
  const { server, client } = stage.facts;
  return {
    title: "Replace the server",
    about: "server",
    why: () => {
      if (Deno.build.os === "windows") {
        return "Windows cannot pass a listening socket on yet";
      }
      if (!server.up) return "no server runs: start it first";
      return cannotStart(stage);
    },
    run: starting(stage, async () => {
      const { pid: old, generation } = server;
      const before = client.resumed;
      await stage.server.tell({ type: "upgrade" });
      await stage.until(
        () => server.generation > generation || !server.up,
        "no successor came up",
      );
      if (server.generation === generation) {
        throw new Error("the server process ended: start it again");
      }
      await stage.until(() => isGone(old), `process ${old} did not end`);
      const how = await goesOn(stage, before);
      return `process ${old} handed listener and session to ${server.pid} and ended; ${how}`;
    }),
  };
}

function killServer(stage: Stage): Action {
  const { server, client } = stage.facts;
  return {
    title: "Kill the server",
    about: "server",
    why: () => cannotStart(stage),
    run: starting(stage, async () => {
      const { pid: old } = server;
      const before = client.resumed;
      if (server.up) {
        Deno.kill(old, "SIGKILL");
        await stage.until(
          async () => !server.up && await isGone(old),
          `process ${old} did not die`,
        );
        stage.history.note(
          "demo",
          "trouble",
          `kill -9 ${old}: the server is dead, and had no time for a word`,
        );
      }
      await stage.startServer("from the store");
      const how = await goesOn(stage, before);
      return `process ${old} was killed, ${server.pid} has its sessions from the SQLite store; ${how}`;
    }),
  };
}

function sleep(stage: Stage): Action {
  const { client } = stage.facts;
  return {
    title: "Put the client to sleep",
    about: "client",
    why: () => client.asleep ? "it sleeps already" : undefined,
    run: async () => {
      const { pid } = stage.client;
      Deno.kill(pid, "SIGSTOP");
      client.asleep = true;
      let state: string | undefined;
      // A signal takes a moment to arrive.
      await stage.until(async () => {
        state = await stateOf(pid);
        return state === undefined || state.startsWith("T");
      }, `process ${pid} was not stopped`);
      return state === undefined
        ? `the client, process ${pid}, got SIGSTOP; there is no ps to see it by`
        : `the client, process ${pid}, got SIGSTOP, and ps says that it is stopped`;
    },
  };
}

function wake(stage: Stage): Action {
  const { client, up, down } = stage.facts;
  return {
    title: "Wake the client",
    about: "client",
    why: () => client.asleep ? undefined : "it is awake",
    run: async () => {
      const { pid } = stage.client;
      const before = { sent: up.sent, received: down.received };
      Deno.kill(pid, "SIGCONT");
      client.asleep = false;
      if (stage.blocked || !stage.facts.server.up) {
        return `the client, process ${pid}, got SIGCONT; the stream waits for a path`;
      }
      await stage.until(
        () => up.sent > before.sent && down.received > before.received,
        "the stream did not go on",
      );
      return `the client, process ${pid}, got SIGCONT, and bytes flow both ways again`;
    },
  };
}
