// What the gateway's process holds: idle, with a thousand idle sessions, and while a result of a gigabyte passes through.

import { readFileSync } from 'node:fs'
import { setTimeout as wait } from 'node:timers/promises'
import type { Gateway } from '../backends/gateway.js'
import { query, WireClient } from '../backends/wire-client.js'

export interface MemoryUse {
  readonly idleMb: number
  readonly sessions: number
  readonly withSessionsMb: number
  readonly resultMb: number
  readonly duringResultMb: number
  readonly resultMbPerSecond: number
}

/** Resident memory of a process, in megabytes. */
export function residentMb(pid: number): number {
  const kb = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
  return Number(kb ?? 0) / 1024
}

/** The most a process held while something went on. */
export async function peakDuring<T>(pid: number, work: () => Promise<T>): Promise<{ readonly result: T; readonly peakMb: number }> {
  let peakMb = residentMb(pid)
  const clock = setInterval(() => (peakMb = Math.max(peakMb, residentMb(pid))), 20)
  try {
    return { result: await work(), peakMb }
  } finally {
    clearInterval(clock)
  }
}

export async function measureMemory(gateway: Gateway, password: string, sessions: number, resultMb: number): Promise<MemoryUse> {
  const login = { port: gateway.port, user: 'bench', password, database: 'bench' }
  await wait(1000)
  const idleMb = residentMb(gateway.pid())
  const client = await WireClient.login(login)
  const began = performance.now()
  const { peakMb: duringResultMb } = await peakDuring(gateway.pid(), () => {
    client.send(query(`select repeat('x', 1000000) from generate_series(1, ${resultMb})`))
    return client.discardUntilReady(300_000)
  })
  const seconds = (performance.now() - began) / 1000
  client.close()
  await wait(1000)
  const open: WireClient[] = []
  while (open.length < sessions) {
    const batch = Array.from({ length: Math.min(20, sessions - open.length) }, () => WireClient.login(login))
    open.push(...(await Promise.all(batch)))
  }
  await wait(2000)
  const withSessionsMb = residentMb(gateway.pid())
  for (const one of open) one.close()
  return { idleMb, sessions, withSessionsMb, resultMb, duringResultMb, resultMbPerSecond: resultMb / seconds }
}
