// What is offered on both ends: what is held to be sound today, written out, so that a change of the library's defaults changes nothing.
// Left out: ssh-rsa and rsa with SHA-1, ssh-dss, hmac-sha1 and MD5, CBC and RC4, the 1024-bit groups. Strict key exchange
// (CVE-2023-48795) is part of the library's own offer.

import type { Algorithms } from 'ssh2'

const kex = [
  'curve25519-sha256',
  'curve25519-sha256@libssh.org',
  'ecdh-sha2-nistp256',
  'ecdh-sha2-nistp384',
  'ecdh-sha2-nistp521',
  'diffie-hellman-group16-sha512',
  'diffie-hellman-group18-sha512',
  'diffie-hellman-group14-sha256',
] as const

const cipher = [
  'aes128-gcm@openssh.com',
  'aes256-gcm@openssh.com',
  'chacha20-poly1305@openssh.com',
  'aes128-ctr',
  'aes192-ctr',
  'aes256-ctr',
] as const

const hmac = ['hmac-sha2-256-etm@openssh.com', 'hmac-sha2-512-etm@openssh.com', 'hmac-sha2-256', 'hmac-sha2-512'] as const

/** `serverHostKey`: what kind of key the server has. */
export function algorithms(serverHostKey: readonly string[]): Algorithms {
  return {
    kex: [...kex],
    cipher: [...cipher],
    hmac: [...hmac],
    compress: ['none'],
    serverHostKey: [...serverHostKey],
  } as Algorithms
}
