// Waiting for a slow receiver.

interface Receiver {
  on(event: 'drain' | 'close', listener: () => void): unknown
  off(event: 'drain' | 'close', listener: () => void): unknown
}

/** Resolves when it takes more, or will take nothing any more. */
export function drained(receiver: Receiver): Promise<void> {
  return new Promise((resolve) => {
    const go = (): void => {
      receiver.off('drain', go)
      receiver.off('close', go)
      resolve()
    }
    receiver.on('drain', go)
    receiver.on('close', go)
  })
}
