import { createHash, createHmac, pbkdf2Sync } from 'node:crypto'
import type { TokenVerifiers } from '@sallyport/core'
import { describe, expect, it } from 'vitest'
import { ScramClient, scramPlain, scramPlus, ScramServer } from './scram.js'

const salt = Buffer.from('0123456789abcdef')
const iterations = 4096

function verifiersOf(password: string): TokenVerifiers {
  const salted = pbkdf2Sync(password, salt, iterations, 32, 'sha256')
  const clientKey = createHmac('sha256', salted).update('Client Key').digest()
  const storedKey = createHash('sha256').update(clientKey).digest('hex')
  const serverKey = createHmac('sha256', salted).update('Server Key').digest('hex')
  return {
    scramSha256: { salt: salt.toString('hex'), iterations, storedKey, serverKey },
    mysqlNativePassword: '',
    cachingSha2Password: '',
  }
}

async function exchange(
  password: string,
  known: string,
  offered: string[],
  clientBinding?: Buffer,
  serverBinding?: Buffer,
): Promise<boolean> {
  const client = new ScramClient(password, offered, clientBinding)
  const server = new ScramServer({ salt, iterations }, serverBinding)
  const challenge = server.open(client.mechanism, client.first())
  const { answers, final } = server.close(await client.last(challenge))
  if (!answers(verifiersOf(known))) return false
  client.check(final())
  return true
}

const binding = createHash('sha256').update('certificate').digest()

describe('SCRAM', () => {
  it('admits who knows the password, with and without channel binding', async () => {
    expect(await exchange('pencil', 'pencil', [scramPlain])).toBe(true)
    expect(await exchange('pencil', 'pencil', [scramPlus, scramPlain], binding, binding)).toBe(true)
  })

  it('refuses who does not', async () => {
    expect(await exchange('pencil', 'pen', [scramPlain])).toBe(false)
  })

  it('refuses another certificate than ours in between', async () => {
    const other = createHash('sha256').update('other').digest()
    await expect(exchange('pencil', 'pencil', [scramPlus], other, binding)).rejects.toThrow('does not fit')
  })

  it('refuses a client that was told we cannot bind channels while we can', async () => {
    await expect(exchange('pencil', 'pencil', [scramPlain], binding, binding)).rejects.toThrow('someone is in between')
  })

  it('refuses a server that does not know the password', async () => {
    const client = new ScramClient('pencil', [scramPlain], undefined)
    const server = new ScramServer({ salt, iterations }, undefined)
    await client.last(server.open(client.mechanism, client.first()))
    expect(() => client.check(Buffer.from('v=AAAA'))).toThrow('does not know the password')
  })

  it('refuses an iteration count that would only burn CPU', async () => {
    const client = new ScramClient('pencil', [scramPlain], undefined)
    const nonce = client.first().toString().split('r=')[1] ?? ''
    await expect(client.last(Buffer.from(`r=${nonce}x,s=AAAA,i=2000000000`))).rejects.toThrow('not good')
  })

  it.each(['', 'n,,', 'n,,n=,r=', 'p=tls-unique,,n=,r=abc', 'n,,m=x,n=,r=abc', 'x'.repeat(9000)])(
    'refuses the first message %j',
    (text) => {
      const server = new ScramServer({ salt, iterations }, binding)
      expect(() => server.open(text.startsWith('p') ? scramPlus : scramPlain, Buffer.from(text))).toThrow('SASL')
    },
  )
})
