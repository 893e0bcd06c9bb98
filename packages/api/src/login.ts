// Logging in at an identity provider, for those who are nobody yet: a code to type in elsewhere, or a browser that is sent there and back.
// A login by code is one request that stays open: whoever hangs up gives up, and no state is left behind.

import { Readable } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import type { FastifyInstance } from 'fastify'
import { z } from 'zod'
import { asLines, goneSignal } from './answer.js'
import { addressOf } from './authentication.js'
import type { ApiParts, LoggedIn, Logins } from './ports.js'
import { wellFormed } from './problem.js'

/** Proxies cut what is silent for a minute (nginx's proxy_read_timeout); a line in between also shows that the client is there. */
const STILL_WAITING_MS = 20_000
const BODY_LIMIT_BYTES = 16_384

const provider = z.string().min(1).max(63).optional()
const deviceBody = z.strictObject({ provider })
const browserBody = z.strictObject({ provider, redirectUri: z.string().min(1).max(256) })
const finishBody = z.strictObject({ login: z.string().min(1).max(4096), returned: z.string().min(1).max(8192) })

export function addLogin(app: FastifyInstance, parts: ApiParts): void {
  const { logins } = parts
  const route = { bodyLimit: BODY_LIMIT_BYTES }
  app.get('/api/v1/login', async () => ({ providers: logins.providers }))
  app.post('/api/v1/login/device', route, async (request, reply) => {
    const { provider: name } = wellFormed(deviceBody, request.body)
    const signal = goneSignal(reply)
    const device = await logins.device(name, { from: addressOf(request), signal })
    // A proxy that gathers an answer before it passes it on would show the code too late.
    void reply.type('application/x-ndjson').header('x-accel-buffering', 'no')
    return reply.send(Readable.from(asLines(deviceLines(device), signal, parts)))
  })
  app.post('/api/v1/login/browser', route, async (request) => {
    const { provider: name, redirectUri } = wellFormed(browserBody, request.body)
    return logins.browser(name, redirectUri, addressOf(request))
  })
  app.post('/api/v1/login/browser/finish', route, async (request) => {
    const { login, returned } = wellFormed(finishBody, request.body)
    return answered(await logins.finish(login, returned, addressOf(request)))
  })
}

async function* deviceLines(device: Awaited<ReturnType<Logins['device']>>): AsyncGenerator<object> {
  const settled = device.settle().then(answered)
  settled.catch(() => {})
  const { userCode, address, addressWithCode = null, expiresAt } = device
  yield { userCode, address, addressWithCode, expiresAt }
  for (;;) {
    const pause = new AbortController()
    const still = sleep(STILL_WAITING_MS, 'still', { signal: pause.signal }).catch(() => 'still' as const)
    const first = await Promise.race([settled, still]).finally(() => pause.abort())
    if (typeof first === 'object') return yield first
    yield { waiting: true }
  }
}

function answered({ token, record }: LoggedIn): object {
  return { token: token.reveal(), id: record.id, identity: record.identity, expiresAt: record.expiresAt }
}
