/** The buttons. They stay reachable when they cannot be pressed, and say why. */
import type { View } from "../view.ts";
import { byId, html, setAttribute, setData, setText } from "./dom.ts";

/** A button does the one or the other, by how things are. */
interface Face {
  readonly action: string;
  readonly title: string;
  readonly hint: string;
}

interface Control {
  readonly face: (view: View) => Face;
  readonly button: HTMLElement;
  readonly title: HTMLElement;
  readonly hint: HTMLElement;
  action: string;
  why: string | undefined;
}

const CUT: Face = {
  action: "cut",
  title: "Cut the link",
  hint: "The proxy resets the connection.",
};
const CUT_SILENTLY: Face = {
  action: "cut-silently",
  title: "Cut it silently",
  hint: "It hangs, and nobody is told.",
};
const MOVE: Face = {
  action: "move",
  title: "Move the client",
  hint: "To another local address.",
};
const BLOCK: Face = {
  action: "block",
  title: "Block the port",
  hint: "The firewall drops what comes.",
};
const UNBLOCK: Face = {
  action: "unblock",
  title: "Open the port",
  hint: "The firewall lets it through again.",
};
const REPLACE: Face = {
  action: "replace-server",
  title: "Replace the server",
  hint: "A new process takes over everything.",
};
const KILL: Face = {
  action: "kill-server",
  title: "Kill the server",
  hint: "kill -9, then a new one from the store.",
};
const START: Face = {
  action: "kill-server",
  title: "Start the server",
  hint: "With the sessions of its store.",
};
const SLEEP: Face = {
  action: "sleep",
  title: "Put the client to sleep",
  hint: "SIGSTOP, as a laptop that is closed.",
};
const WAKE: Face = {
  action: "wake",
  title: "Wake the client",
  hint: "SIGCONT: it goes on where it was.",
};

/** All of them. */
export class Controls {
  /** Whether the server is gone. */
  away = false;
  readonly #token: string;
  readonly #controls: Control[] = [];

  constructor(token: string) {
    this.#token = token;
    const path = byId("path-buttons");
    this.#add(path, "cut", () => CUT);
    this.#add(path, "cut-silently", () => CUT_SILENTLY);
    this.#add(path, "move", () => MOVE);
    this.#add(path, "block", ({ link }) => {
      const hint = link.firewall === "nft"
        ? "A rule of nftables drops what comes."
        : "The proxy refuses what comes.";
      return link.blocked ? UNBLOCK : { ...BLOCK, hint };
    });
    const programs = byId("program-buttons");
    this.#add(programs, "replace", () => REPLACE);
    this.#add(
      programs,
      "kill",
      ({ server, actions }) =>
        server.state === "down" && !actions["kill-server"]?.busy ? START : KILL,
    );
    this.#add(
      programs,
      "sleep",
      ({ client }) => client.state === "asleep" ? WAKE : SLEEP,
    );
    for (let n = 1; n <= 3; n++) {
      this.#add(byId("broker-buttons"), `broker-${n}`, ({ brokers }) => ({
        action: `${
          brokers[n - 1]?.up === false ? "start" : "kill"
        }-broker-${n}`,
        title: `${brokers[n - 1]?.up === false ? "Start" : "Kill"} broker ${n}`,
        hint: brokers[n - 1]?.up === false ? "On its old port." : "kill -9",
      }));
    }
  }

  #add(parent: HTMLElement, name: string, face: Control["face"]): void {
    const button = html("button", { type: "button", id: `button-${name}` });
    const title = html("span", { class: "name" });
    const hint = html("span", { class: "hint" });
    button.append(title, hint);
    parent.append(button);
    const control: Control = {
      face,
      button,
      title,
      hint,
      action: "",
      why: "the programs start",
    };
    button.addEventListener("click", () => void this.#press(control));
    this.#controls.push(control);
  }

  /** Shows what can be done. */
  show(view: View): void {
    for (const control of this.#controls) {
      const { action, title, hint } = control.face(view);
      const state = view.actions[action];
      const busy = state?.busy === true;
      control.action = action;
      control.why = this.away
        ? "the demo’s server is away"
        : state === undefined
        ? "the programs start"
        : busy
        ? "it is under way"
        : state.why;
      setText(control.title, title);
      const off = control.why !== undefined;
      // Said once, above, when the whole server is away.
      const says = off && !busy && !this.away;
      setText(control.hint, says ? `Not now: ${control.why}.` : hint);
      setAttribute(control.button, "aria-disabled", String(off));
      setData(control.button, "busy", busy ? "yes" : "no");
      setData(control.button, "action", action);
    }
  }

  async #press({ action, title, why }: Control): Promise<void> {
    const name = title.textContent!;
    if (why !== undefined) return this.#say("no", `${name}: not now, ${why}.`);
    this.#say("doing", `${name} …`);
    try {
      const response = await fetch(`/actions/${action}`, {
        method: "POST",
        headers: { "x-demo-token": this.#token },
      });
      const { ok, text } = await response.json();
      this.#say(ok ? "yes" : "no", text);
    } catch {
      this.#say("no", `${name}: the demo’s server does not answer.`);
    }
  }

  #say(how: "doing" | "no" | "yes", text: string): void {
    const status = byId("status");
    setData(status, "how", how);
    setText(status, text);
  }
}
