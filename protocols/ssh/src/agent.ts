// The caller's agent, lent to the target (-A): off unless a rule allows it. Whoever is root there can log in with the caller's keys as long as the
// connection lasts.

import type { Client, ServerChannel } from 'ssh2'
import { join } from './join.js'
import { lendAgent, openAgent } from './library.js'
import type { Question, Served } from './served.js'

export const agentQuestion: Question = {
  kind: 'tunnel',
  text: "lend the caller's agent to the target",
  effects: [{ access: 'admin', verb: 'forward', object: 'agent' }],
}

/** Whoever asks for the agent on the target is led to the caller's. Answers false where the library is not as expected. */
export function serveAgent(served: Served, client: Client): boolean {
  return lendAgent(client, (opened) => {
    if (served.session.signal.aborted || !served.enter()) return opened(new Error('no room for another channel'))
    const lead = async (near: ServerChannel): Promise<void> => {
      const far = await new Promise<Parameters<typeof join>[1]>((resolve) => opened(undefined, resolve))
      await join(near, far, served)
    }
    const over = (): void => served.leave()
    openAgent(served.connection, (error, near) => {
      if (error === undefined) {
        served.session.mark('agent', 'asked by the target')
        return void lead(near).catch(served.bug).finally(over)
      }
      over()
      opened(error)
    })
  })
}
