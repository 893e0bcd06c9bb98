// The client's end of the login, packet by packet, with a gate that only listens: which proof reaches it, and what never does.

import { createHash } from 'node:crypto'
import { Duplex, PassThrough } from 'node:stream'
import { createSecureContext } from 'node:tls'
import { Denied } from '@sallyport/core'
import type { Gate, Proof, Session, TokenVerifiers } from '@sallyport/core'
import { describe, expect, it } from 'vitest'
import { readGreeting, writeResponse } from './handshake.js'
import { greet, rsaKeyMaker } from './login.js'
import { PacketLine } from './packet-reader.js'
import { capability, readError } from './packets.js'
import { answerCachingSha2, cachingSha2, clear, encryptPassword, native } from './scramble.js'

const token = 'sp_abcdefghijklmnop'
const stranger = 'a login that was let in has no session here'

interface Play {
  readonly loopback?: boolean
  readonly onlyClear?: boolean
  readonly loginMs?: number
  /** What the proof must be for the gate to open; else it denies. */
  readonly opens?: (proof: Proof) => boolean
}

/** Both ends in one process; the client's end is driven by `client`. */
async function play(
  { loopback = false, onlyClear = false, loginMs = 0, opens = () => true }: Play,
  client: (line: PacketLine, nonce: Buffer) => Promise<void>,
): Promise<readonly Proof[]> {
  const [up, down] = [new PassThrough(), new PassThrough()]
  const proofs: Proof[] = []
  const gate: Gate = {
    tls: { context: createSecureContext(), certificateHash: Buffer.alloc(0) } as unknown as Gate['tls'],
    limits: { loginMs, idleMs: 0 },
    challenge: () => Promise.resolve({ salt: Buffer.alloc(16), iterations: 4096, ...(onlyClear ? { clear: true } : {}) }),
    admit: ({ proof }) => {
      proofs.push(proof)
      return opens(proof)
        ? Promise.resolve({ id: stranger } as unknown as Session)
        : Promise.reject(new Denied('unauthenticated', 'login failed'))
    },
    identify: () => Promise.reject(new Error('not asked')),
    inside: () => ({ kind: 'unknown' }),
    rejoin: () => {},
    log: () => {},
  }
  const served = greet(
    { stream: Duplex.from({ readable: up, writable: down }), facts: { address: '192.0.2.1:1', loopback, tls: false } },
    gate,
    { version: '8.0.40', threadId: 7, rsaKey: rsaKeyMaker() },
  ).catch((error: unknown) => {
    if (!(error instanceof Denied)) throw error
  })
  const line = new PacketLine(Duplex.from({ readable: down, writable: up }), 'upstream', AbortSignal.timeout(10_000))
  const { nonce } = readGreeting(await line.read())
  await client(line, nonce)
  await served
  return proofs
}

const capabilities =
  capability.protocol41 | capability.secureConnection | capability.pluginAuth | capability.authLenenc | capability.connectWithDb

function respond(line: PacketLine, plugin: string, answer: Buffer): void {
  line.write(writeResponse({ capabilities, user: 'robot', answer, database: 'shop', plugin, attributes: new Map() }))
}

const revealed = (proof: Proof | undefined): string => (proof?.kind === 'token' ? proof.token.reveal() : `(${proof?.kind})`)

describe('a login without TLS from elsewhere', () => {
  it('by caching_sha2_password in full: the token comes under the key that was asked for', async () => {
    const proofs = await play({ opens: (proof) => proof.kind === 'token' }, async (line, nonce) => {
      respond(line, cachingSha2, answerCachingSha2('wrong', nonce))
      expect(await line.read()).toEqual(Buffer.from([1, 4]))
      line.write(Buffer.from([2]))
      const key = await line.read()
      expect(key[0]).toBe(1)
      line.write(encryptPassword(token, nonce, key.toString('latin1', 1)))
    })
    expect(proofs.map(({ kind }) => kind)).toEqual(['challenge', 'token'])
    expect(revealed(proofs[1])).toBe(token)
  })

  it('never takes the token in clear, in whichever packet it comes', async () => {
    const direct = await play({}, async (line) => {
      respond(line, clear, Buffer.from(`${token}\0`))
      expect(readError(await line.read())).toMatchObject({ code: 1045 })
    })
    const full = await play({ opens: () => false }, async (line, nonce) => {
      respond(line, cachingSha2, answerCachingSha2('wrong', nonce))
      await line.read()
      line.write(Buffer.from(`${token}\0`))
      expect(readError(await line.read()).message).toContain('only under TLS')
    })
    expect(direct).toEqual([])
    expect(full.map(({ kind }) => kind)).toEqual(['challenge'])
  })

  it('ends after a while where a wrong proof is followed by nothing', async () => {
    const proofs = await play({ loginMs: 50, opens: () => false }, async (line, nonce) => {
      respond(line, cachingSha2, answerCachingSha2('wrong', nonce))
      expect(await line.read()).toEqual(Buffer.from([1, 4]))
      expect(readError(await line.read())).toMatchObject({ code: 1159 })
    })
    expect(proofs.map(({ kind }) => kind)).toEqual(['challenge'])
  })

  it('refuses what cannot be decrypted', async () => {
    await expect(
      play({ opens: () => false }, async (line, nonce) => {
        respond(line, cachingSha2, answerCachingSha2('wrong', nonce))
        await line.read()
        line.write(Buffer.from([2]))
        await line.read()
        line.write(Buffer.alloc(256, 1))
        expect(readError(await line.read()).message).toContain('cannot be read')
      }),
    ).rejects.toThrow('cannot be read')
  })

  it('asks for TLS where only a token of a provider would do', async () => {
    const proofs = await play({ onlyClear: true }, async (line, nonce) => {
      respond(line, cachingSha2, answerCachingSha2(token, nonce))
      expect(readError(await line.read()).message).toContain('needs TLS')
    })
    expect(proofs).toEqual([])
  })

  it('switches to caching_sha2_password with a nonce of its own', async () => {
    const proofs = await play({}, async (line, nonce) => {
      respond(line, 'dialog', Buffer.alloc(0))
      const asked = await line.read()
      expect(asked.toString('latin1', 0, 23)).toBe(`\xfe${cachingSha2}\0`)
      const fresh = asked.subarray(23, -1)
      expect(fresh.equals(nonce)).toBe(false)
      line.write(answerCachingSha2(token, fresh))
      expect(await line.read()).toEqual(Buffer.from([1, 3]))
    })
    const [proof] = proofs
    const kept = { cachingSha2Password: doubleSha256(token) } as TokenVerifiers
    expect(proof?.kind === 'challenge' && proof.answers(kept)).toBe(true)
    expect(proof?.kind === 'challenge' && proof.answers({ cachingSha2Password: doubleSha256('other') } as TokenVerifiers)).toBe(
      false,
    )
  })

  it('takes an answer of native passwords as a challenge', async () => {
    const proofs = await play({}, (line) => {
      respond(line, native, Buffer.alloc(20, 1))
      return Promise.resolve()
    })
    expect(proofs.map(({ kind }) => kind)).toEqual(['challenge'])
  })
})

it('a login on loopback takes the token in clear', async () => {
  const proofs = await play({ loopback: true }, (line) => {
    respond(line, clear, Buffer.from(`${token}\0`))
    return Promise.resolve()
  })
  expect(revealed(proofs[0])).toBe(token)
})

function doubleSha256(text: string): string {
  const once = createHash('sha256').update(text).digest()
  return createHash('sha256').update(once).digest('hex')
}
