// Forwarding: each way through is a statement of kind `tunnel`, off unless a rule allows it.

import type { Effect, Inside } from '@sallyport/core'
import type { ClientChannel as FarChannel, Connection, ServerChannel } from 'ssh2'
import type { Begin, Served } from './served.js'
import { detached } from './detached.js'
import { join } from './join.js'
import { RemoteForwards } from './remote-forward.js'

/** How long the last words of an inner connection may take. */
const goodbyeMs = 1_000

interface Way {
  readonly verb: string
  readonly object: string
  readonly open: Begin
}

/** -L and -D, -R, and their sockets of Unix. */
export function serveForwards(connection: Connection, served: Served): void {
  connection.on('tcpip', (accept, reject, { destIP, destPort, srcIP, srcPort }) => {
    const object = `${destIP}:${destPort}`
    const inside = served.gate.inside(served.session, destIP, destPort)
    if (inside.kind !== 'unknown') return taken(served, accept, reject, (near, no) => lead(served, near, no, inside, object))
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
  new RemoteForwards(connection, served).serve()
}

type Opening = (accept: () => ServerChannel, reject: () => void) => Promise<void>

function serve(served: Served, accept: () => ServerChannel, reject: () => void, way: Way): void {
  taken(served, accept, reject, (near, no) => tunnel(served, near, no, way))
}

/** Within the channels that a connection may have. */
function taken(served: Served, accept: () => ServerChannel, reject: () => void, open: Opening): void {
  if (!served.enter()) return reject()
  void open(accept, reject)
    .catch(served.bug)
    .finally(() => served.leave())
}

/** To a target of ours: it never passes the host. The target's own protocol is spoken with the client, who logs in to it as to any listener. */
async function lead(
  served: Served,
  accept: () => ServerChannel,
  reject: () => void,
  inside: Exclude<Inside, { readonly kind: 'unknown' }>,
  object: string,
): Promise<void> {
  const effects: readonly Effect[] = [{ access: 'read', verb: 'forward', object }]
  const granted = inside.kind === 'target'
  const text = granted ? `forward to ${object}, which is target ${inside.targets.join(', ')}` : `forward to ${object}`
  const refusal = { refusal: 'this address is of a target that you have no grant for' }
  const { ruling } = await served.judge({ kind: 'tunnel', text, effects }, granted ? {} : refusal)
  if (ruling.kind !== 'allow' || !granted || served.session.signal.aborted) return reject()
  const stream = detached(accept())
  const forget = served.whenOver(() => stream.destroy())
  try {
    await inside.serve(stream)
  } finally {
    forget()
    // Its last words go out first.
    stream.end()
    setTimeout(() => stream.destroy(), goodbyeMs).unref()
  }
}

async function tunnel(served: Served, accept: () => ServerChannel, reject: () => void, { verb, object, open }: Way): Promise<void> {
  const effects: readonly Effect[] = [{ access: 'admin', verb, object }]
  const { ruling, statement } = await served.judge(
    { kind: 'tunnel', text: `forward to ${object}`, effects },
    { needsRule: 'forwarding is off unless a rule allows it' },
  )
  if (ruling.kind !== 'allow') return reject()
  const began = performance.now()
  const far = await reach(served, open)
  if (far === undefined) return reject()
  const passed = await join(accept(), far, served)
  if (!served.session.signal.aborted)
    served.session.outcome({ statement, rows: 0, bytes: passed.toClientBytes, durationMs: performance.now() - began })
}

async function reach(served: Served, open: Begin): Promise<FarChannel | undefined> {
  try {
    return await served.open(open, (far) => far)
  } catch {
    return undefined
  }
}
