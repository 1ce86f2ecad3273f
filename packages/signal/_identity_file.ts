import {
  createIdentity,
  exportIdentity,
  type Identity,
  importIdentity,
} from "./identity.ts";

/**
 * The identity in a file; an absent one is made, for its owner's eyes only.
 *
 * @throws {Error} In one sentence that names the file and shows no secret.
 */
export async function loadIdentity(path: string): Promise<Identity> {
  const text = await read(path) ?? await make(path);
  try {
    return await importIdentity(text.trim());
  } catch (cause) {
    throw new Error(
      `Cannot read identity "${path}": it holds no exported secret: name another file, or remove it to get a new one`,
      { cause },
    );
  }
}

/**
 * A new identity in a new file, for its owner's eyes only.
 *
 * @throws {Error} When there is a file already, which is left as it is.
 */
export async function newIdentity(path: string): Promise<Identity> {
  const identity = await createIdentity();
  try {
    await Deno.writeTextFile(path, `${exportIdentity(identity)}\n`, {
      createNew: true,
      mode: 0o600,
    });
  } catch (cause) {
    if (cause instanceof Deno.errors.AlreadyExists) {
      throw new Error(
        `Cannot make identity "${path}": there is a file already: name another, or remove it`,
        { cause },
      );
    }
    throw failure("make", path, cause);
  }
  return identity;
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await Deno.readTextFile(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return undefined;
    throw failure("read", path, cause);
  }
}

/** Never over a file that another process made meanwhile: that one is read. */
async function make(path: string): Promise<string> {
  const text = exportIdentity(await createIdentity());
  try {
    await Deno.writeTextFile(path, `${text}\n`, {
      createNew: true,
      mode: 0o600,
    });
    return text;
  } catch (cause) {
    if (cause instanceof Deno.errors.AlreadyExists) {
      return await Deno.readTextFile(path);
    }
    throw failure("make", path, cause);
  }
}

function failure(verb: string, path: string, cause: unknown): Error {
  const why = (cause as Error).message.split("\n")[0];
  return new Error(`Cannot ${verb} identity "${path}": ${why}`, { cause });
}
