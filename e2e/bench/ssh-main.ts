// Commands and bulk over SSH: sshd itself and through the gateway, in turns. `npm run bench -- ssh` prints a table.

import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { program, run } from '../backends/programs.js'
import { openSshStage } from '../backends/ssh-stage.js'

const rounds = 15
const bulkBytes = 200 * 1024 * 1024

const stage = await openSshStage()
const { server, configFile, directory } = stage
const direct = ['-F', configFile, '-p', String(server.port), '-i', server.keyFile, `${server.username}@127.0.0.1`]
const through = ['-F', configFile, 'open@127.0.0.1']
const ways = { 'sshd itself': direct, 'through the gateway': through }

async function timed(command: string, args: readonly string[]): Promise<number> {
  const began = performance.now()
  const { code, stderr } = await run(command, args, { withinMs: 300_000 })
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}: ${stderr}`)
  return performance.now() - began
}

function median(times: readonly number[]): string {
  return (times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0).toFixed(1)
}

const ssh = program('ssh')
const rows: Record<string, Record<string, string>> = {}
const times = new Map<string, { login: number[]; command: number[]; bulk: number[] }>()
for (const name of Object.keys(ways)) times.set(name, { login: [], command: [], bulk: [] })
const masters = Object.entries(ways).map(([name, way]) => {
  const control = join(directory, `bench-${name.length}`)
  return { name, way, control, child: spawn(ssh, ['-N', '-M', '-S', control, ...way], { stdio: 'ignore' }) }
})
await wait(2_000)
for (let round = 0; round < rounds; round += 1) {
  for (const { name, way, control } of masters) {
    times.get(name)?.login.push(await timed(ssh, [...way, 'true']))
    times.get(name)?.command.push(await timed(ssh, ['-S', control, ...way, 'true']))
    if (round % 5 === 0) {
      const line = [ssh, ...way].map((part) => `'${part}'`).join(' ')
      times.get(name)?.bulk.push(await timed('/bin/sh', ['-c', `${line} 'head -c ${bulkBytes} /dev/zero' >/dev/null`]))
    }
  }
}
for (const [name, { login, command, bulk }] of times) {
  rows[name] = {
    'connect + command, ms': median(login),
    'command on an open connection, ms': median(command),
    'download, MB/s': (bulkBytes / 1e3 / Number(median(bulk))).toFixed(0),
  }
}
console.table(rows)
for (const { child } of masters) child.kill()
await stage.close()
