// Forwarding: each way through is a statement of kind `tunnel`, off unless a rule allows it.

import type { Effect } from '@sallyport/core'
import type { Client, ClientChannel as FarChannel, Connection, ServerChannel } from 'ssh2'
import type { Served } from './served.js'
import { maxOpenChannels } from './channels.js'

type Open = (client: Client, done: (error: Error | undefined, far: FarChannel) => void) => void

interface Way {
  readonly verb: string
  readonly object: string
  readonly open: Open
}

/** -L and -D, and their sockets of Unix. What others open (-R) and the caller's agent are not offered. */
export function serveForwards(connection: Connection, served: Served): void {
  connection.on('tcpip', (accept, reject, { destIP, destPort, srcIP, srcPort }) => {
    const object = `${destIP}:${destPort}`
    serve(served, accept, reject, {
      verb: 'forward',
      object,
      open: (client, done) => client.forwardOut(srcIP, srcPort, destIP, destPort, done),
    })
  })
  connection.on('openssh.streamlocal', (accept, reject, { socketPath }) => {
    serve(served, accept, reject, {
      verb: 'forward',
      object: socketPath,
      open: (client, done) => client.openssh_forwardOutStreamLocal(socketPath, done),
    })
  })
  connection.on('request', (_accept, reject) => reject?.())
}

function serve(served: Served, accept: () => ServerChannel, reject: () => void, way: Way): void {
  if (!served.enter(maxOpenChannels)) return reject()
  void tunnel(served, accept, reject, way)
    .catch(served.bug)
    .finally(() => served.leave())
}

async function tunnel(served: Served, accept: () => ServerChannel, reject: () => void, { verb, object, open }: Way): Promise<void> {
  const effects: readonly Effect[] = [{ access: 'admin', verb, object }]
  const { ruling } = await served.judge(
    { kind: 'tunnel', text: `forward to ${object}`, effects },
    { needsRule: 'forwarding is off unless a rule allows it' },
  )
  if (ruling.kind !== 'allow') return reject()
  const far = await reach(served, open)
  if (far === undefined) return reject()
  const near = accept()
  await joined(near, far, served)
}

async function reach(served: Served, open: Open): Promise<FarChannel | undefined> {
  try {
    const client = await served.reach()
    return await new Promise((resolve) => {
      open(client, (error, far) => resolve(error === undefined ? far : undefined))
    })
  } catch {
    return undefined
  }
}

/** Both ways until both are over. The bytes of a tunnel are not read and not recorded: the statement says where it went. */
function joined(near: ServerChannel, far: FarChannel, served: Served): Promise<void> {
  return new Promise((resolve) => {
    let forget = (): void => {}
    const end = (): void => {
      forget()
      near.close()
      far.close()
      resolve()
    }
    for (const stream of [near, far]) {
      stream.on('error', () => {})
      stream.once('close', end)
    }
    forget = served.whenOver(end)
    near.pipe(far)
    far.pipe(near)
  })
}
