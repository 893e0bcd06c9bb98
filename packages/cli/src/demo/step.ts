// One step of the tour: what it must show, and how long it may take.

/** What a step showed instead of what it must show. */
export class StepFailed extends Error {}

/** Each step is quick; a demo that hangs shows nothing. */
export const stepWithinMs = 30_000

export function must(holds: boolean, instead: string): asserts holds {
  if (!holds) throw new StepFailed(instead)
}

export async function withinTime(title: string, act: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new StepFailed(`"${title}" took longer than ${stepWithinMs / 1000} seconds`)), stepWithinMs)
  })
  await Promise.race([act(), late]).finally(() => clearTimeout(timer))
}
