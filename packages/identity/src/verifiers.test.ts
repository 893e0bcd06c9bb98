// The verifiers against published vectors and against the exchanges they must serve.

import { createHash, createHmac } from 'node:crypto'
import { expect, it } from 'vitest'
import { scramIterations, scramSalt, scramVerifiers, tokenVerifiers } from './verifiers.js'

const sha = (algorithm: string, ...parts: readonly (string | Uint8Array)[]): Buffer => {
  const hash = createHash(algorithm)
  for (const part of parts) hash.update(part)
  return hash.digest()
}
const xor = (a: Uint8Array, b: Uint8Array): Buffer => Buffer.from(a.map((byte, index) => byte ^ (b[index] ?? 0)))

it('SCRAM-SHA-256 as in RFC 7677, section 3', () => {
  const verifiers = scramVerifiers('pencil', Buffer.from('W22ZaJ0SNY7soEsUEjb6gQ==', 'base64'), 4096)
  const message = [
    'n=user,r=rOprNGfwEbeRWgbNEkqO',
    'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096',
    'c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0',
  ].join(',')
  const storedKey = Buffer.from(verifiers.storedKey, 'hex')
  const clientKey = xor(
    Buffer.from('dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=', 'base64'),
    createHmac('sha256', storedKey).update(message).digest(),
  )
  expect(sha('sha256', clientKey)).toEqual(storedKey)
  const serverSignature = createHmac('sha256', Buffer.from(verifiers.serverKey, 'hex')).update(message).digest('base64')
  expect(serverSignature).toBe('6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=')
})

it('mysql_native_password: the server recovers SHA1(password) from the answer and compares', () => {
  const nonce = Buffer.from('0123456789abcdefghij')
  const { mysqlNativePassword } = tokenVerifiers('sp_x', new Uint8Array(16))
  const answer = xor(sha('sha1', 'sp_x'), sha('sha1', nonce, sha('sha1', sha('sha1', 'sp_x'))))
  const recovered = xor(answer, sha('sha1', nonce, Buffer.from(mysqlNativePassword, 'hex')))
  expect(sha('sha1', recovered).toString('hex')).toBe(mysqlNativePassword)
  // SELECT PASSWORD('mypass'), from MySQL's reference manual.
  expect(tokenVerifiers('mypass', new Uint8Array(16)).mysqlNativePassword.toUpperCase()).toBe(
    '6C8989366EAF75BB670AD8EA7A7FC1176A95CEF4',
  )
})

it('caching_sha2_password, fast path: XOR(SHA256(p), SHA256(SHA256(SHA256(p)), nonce))', () => {
  const nonce = Buffer.from('0123456789abcdefghij')
  const { cachingSha2Password } = tokenVerifiers('sp_x', new Uint8Array(16))
  const stored = Buffer.from(cachingSha2Password, 'hex')
  const answer = xor(sha('sha256', 'sp_x'), sha('sha256', sha('sha256', sha('sha256', 'sp_x')), nonce))
  expect(sha('sha256', xor(answer, sha('sha256', stored, nonce)))).toEqual(stored)
})

it('a salt is steady for a name, differs between names and installations', () => {
  const one = Buffer.from('secret one')
  expect(scramSalt(one, 'ada')).toEqual(scramSalt(one, 'ada'))
  expect(scramSalt(one, 'ada')).toHaveLength(16)
  expect(scramSalt(one, 'ada')).not.toEqual(scramSalt(one, 'bo'))
  expect(scramSalt(one, 'ada')).not.toEqual(scramSalt(Buffer.from('secret two'), 'ada'))
  expect(scramIterations).toBe(4096)
})
