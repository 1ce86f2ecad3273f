/** How many descriptors this process has, as another one counts them. */
export async function countFds(): Promise<number> {
  const { stdout } = await new Deno.Command("sh", {
    args: ["-c", `ls /proc/${Deno.pid}/fd | wc -l`],
  }).output();
  return Number(new TextDecoder().decode(stdout));
}

/**
 * The count once it is down to `limit`, or the last one of many: sockets close
 * a few turns after they are told to.
 */
export async function countFdsAtMost(limit: number): Promise<number> {
  let count = await countFds();
  for (let i = 0; i < 50 && count > limit; i++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    count = await countFds();
  }
  return count;
}
