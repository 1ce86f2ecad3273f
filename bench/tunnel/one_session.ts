/**
 * What the tunnel could be instead: all connections over one session. The
 * plainest form of it, for comparison: frames of a number, a kind and a length,
 * and no credit of each connection's own.
 */
import {
  acceptResumable,
  connectResumable,
  type ResumableConn,
} from "@holdfast/resume";

const HEADER_BYTES = 9;
const [OPEN, DATA, END] = [0, 1, 2];

class Shared {
  readonly #session: ResumableConn;
  readonly #locals = new Map<number, Deno.TcpConn>();
  readonly #ended = new Set<number>();
  #writing: Promise<unknown> = Promise.resolve();

  constructor(session: ResumableConn) {
    this.#session = session;
  }

  // One after the other: a frame is written whole before the next one.
  #send(id: number, kind: number, bytes = new Uint8Array(0)): Promise<unknown> {
    const frame = new Uint8Array(HEADER_BYTES + bytes.length);
    const view = new DataView(frame.buffer);
    view.setUint32(0, id);
    view.setUint8(4, kind);
    view.setUint32(5, bytes.length);
    frame.set(bytes, HEADER_BYTES);
    return this.#writing = this.#writing.then(async () => {
      for (let at = 0; at < frame.length;) {
        at += await this.#session.write(frame.subarray(at));
      }
    });
  }

  async carry(id: number, local: Deno.TcpConn, opens: boolean): Promise<void> {
    local.setNoDelay(true);
    this.#locals.set(id, local);
    if (opens) await this.#send(id, OPEN);
    const into = new Uint8Array(64 * 1024);
    for (let n; (n = await local.read(into).catch(() => null)) !== null;) {
      await this.#send(id, DATA, into.subarray(0, n));
    }
    await this.#send(id, END);
    this.#end(id);
  }

  #end(id: number): void {
    if (!this.#ended.delete(id)) return void this.#ended.add(id);
    this.#locals.get(id)?.close();
    this.#locals.delete(id);
  }

  async #exactly(length: number): Promise<Uint8Array<ArrayBuffer>> {
    const into = new Uint8Array(length);
    for (let at = 0; at < length;) {
      const n = await this.#session.read(into.subarray(at));
      if (n === null) throw new Error("the session has ended");
      at += n;
    }
    return into;
  }

  async listen(open: (id: number) => Promise<void>): Promise<void> {
    for (;;) {
      const view = new DataView((await this.#exactly(HEADER_BYTES)).buffer);
      const id = view.getUint32(0);
      const bytes = await this.#exactly(view.getUint32(5));
      const local = this.#locals.get(id);
      if (view.getUint8(4) === OPEN) await open(id);
      else if (view.getUint8(4) === END) {
        await local?.closeWrite().catch(() => {});
        this.#end(id);
      } else {
        for (let at = 0; local !== undefined && at < bytes.length;) {
          at += await local.write(bytes.subarray(at));
        }
      }
    }
  }
}

/** The far end. */
export async function serveOne(
  listener: Deno.TcpListener,
  to: { readonly hostname: string; readonly port: number },
): Promise<void> {
  for await (const session of acceptResumable(listener)) {
    const shared = new Shared(session);
    shared.listen(async (id) => {
      void shared.carry(id, await Deno.connect(to), false);
    }).catch(() => {});
  }
}

/** The near end. */
export async function connectOne(
  listener: Deno.TcpListener,
  to: { readonly hostname: string; readonly port: number },
): Promise<void> {
  const shared = new Shared(await connectResumable(() => Deno.connect(to)));
  shared.listen(() => Promise.resolve()).catch(() => {});
  let id = 0;
  for await (const local of listener) void shared.carry(++id, local, true);
}
