/** What happens to the path between the two programs. */
import type { CutSide } from "@holdfast/testkit/proxy";
import type { Action } from "./actions.ts";
import type { Stage } from "./stage.ts";

/** By their names. */
export function linkActions(stage: Stage): [string, Action][] {
  return [
    ["cut", cut(stage, "Cut the link", "both")],
    ["cut-silently", cut(stage, "Cut it silently", "neither")],
    ["move", move(stage)],
    ["block", block(stage)],
    ["unblock", unblock(stage)],
  ];
}

/** Why nobody can see whether the stream goes on. */
function waits({ blocked, facts }: Stage): string | undefined {
  if (facts.client.asleep) return "the client sleeps: wake it first";
  if (blocked) return "the port is blocked: open it first";
  return facts.server.up ? undefined : "no server runs: start it first";
}

/** Waits until another transport carries the stream; says how it went. */
export async function goesOn(stage: Stage, before: number): Promise<string> {
  const { client } = stage.facts;
  const gone = () => client.resumed > before && client.attached;
  // Another button may put an obstacle in its way meanwhile.
  await stage.until(
    () => gone() || waits(stage) !== undefined,
    "the stream did not go on",
  );
  return gone()
    ? "the stream goes on over a new one"
    : "the stream waits until it can go on";
}

function cut(stage: Stage, title: string, side: CutSide): Action {
  const { client } = stage.facts;
  return {
    title,
    about: "link",
    why: () =>
      waits(stage) ??
        (client.attached ? undefined : "there is no connection to cut"),
    run: async () => {
      const before = client.resumed;
      const heard = stage.proxy.hear("cut");
      await stage.proxy.tell({ type: "cut", side });
      const { connections } = await heard;
      if (connections === 0) throw new Error("there was nothing to cut");
      const how = side === "both"
        ? "the proxy reset the connection"
        : "the proxy let the connection hang, and told nobody";
      return `${how}; ${await goesOn(stage, before)}`;
    },
  };
}

function move(stage: Stage): Action {
  const { client, server } = stage.facts;
  return {
    title: "Move the client",
    about: "link",
    why: () =>
      waits(stage) ??
        (stage.addresses.length > 1
          ? undefined
          : "this system has one loopback address only"),
    run: async () => {
      const { addresses } = stage;
      const before = client.resumed;
      const from = client.address!;
      const to = addresses[(addresses.indexOf(from) + 1) % addresses.length]!;
      await stage.client.tell({ type: "move", address: to });
      const how = await goesOn(stage, before);
      client.address = to;
      // The server's own word: the proxy passes on where a client came from.
      const seen = () => server.remote?.startsWith(`${to}:`) ?? false;
      await stage.until(
        () => seen() || waits(stage) !== undefined,
        `the server did not see the client at ${to}`,
      );
      if (!seen()) return `the client moves from ${from} to ${to}; ${how}`;
      return `the client moved from ${from} to ${to}, and the server sees it there`;
    },
  };
}

function block(stage: Stage): Action {
  return {
    title: "Block the port",
    about: "link",
    why: () =>
      stage.blocked
        ? "the port is blocked"
        : stage.facts.client.asleep
        ? "the client sleeps: wake it first"
        : undefined,
    run: async () => {
      const { namespace, proxyPort: port } = stage;
      const { client } = stage.facts;
      stage.blocked = true;
      try {
        if (typeof namespace !== "string") await namespace.block(port);
        else await refuse(stage);
      } catch (error) {
        stage.blocked = false;
        throw error;
      }
      await stage.seeOpen(port, false);
      await stage.until(
        () => !client.attached,
        "the stream did not notice that its path is gone",
      );
      return typeof namespace === "string"
        ? `the proxy refuses every connection to port ${port}`
        : `a rule of nftables drops what goes to port ${port}: ${await namespace
          .dropped()} packets so far`;
    },
  };
}

async function refuse(stage: Stage): Promise<void> {
  const refusing = stage.proxy.hear("refusing");
  await stage.proxy.tell({ type: "refuse" });
  await refusing;
}

function unblock(stage: Stage): Action {
  return {
    title: "Open the port",
    about: "link",
    why: () => stage.blocked ? undefined : "the port is open",
    run: async () => {
      const { namespace, proxyPort: port } = stage;
      const before = stage.facts.client.resumed;
      let dropped = "";
      if (typeof namespace === "string") await stage.forward();
      else {
        dropped = `, after ${await namespace.dropped()} dropped packets`;
        await namespace.unblock();
      }
      stage.blocked = false;
      await stage.seeOpen(port, true);
      return `port ${port} is open${dropped}; ${await goesOn(stage, before)}`;
    },
  };
}
