// A gateway in front of a real sshd, and OpenSSH's own clients to go through it.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startGateway, type Gateway } from './gateway.js'
import { program, run, type RunOptions, type RunResult } from './programs.js'
import { makeKey, startSshd, type SshServer } from './sshd.js'

export interface SshStage {
  readonly server: SshServer
  readonly gateway: Gateway
  /** The clients' own directory. */
  readonly directory: string
  /** Options for any of OpenSSH's clients: the agent's key, the gateway's port and host key. */
  readonly configFile: string
  /** `ssh TARGET@gateway ARGS` with the agent's key. */
  ssh(args: readonly string[], options?: RunOptions & { readonly target?: string }): Promise<RunResult>
  close(): Promise<void>
}

const wrongHostKey = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIO3k2pbU4xv1JD7dCqVJ4CzF5aHfOtjkGhtvd0cn1Jc7'

const rulesFor = (directory: string): string => `rules:
  - { name: no-trees, who: { kind: agent }, what: { kinds: [command], programs: [rm], args: ["-r*"] }, then: deny, reason: Removing trees is for people. }
  - { name: ask-first, what: { kinds: [command, file], programs: [chown] }, then: review, reviewers: { groups: [ops] }, within: 1m }
  - { name: ask-for-files, where: { targets: [web] }, what: { kinds: [file], verbs: [write], files: ["${directory}/far/asked/*"] }, then: review, reviewers: { groups: [ops] }, within: 1m }
  - { name: secret-files, who: { kind: agent }, where: { targets: [web] }, what: { kinds: [command, file], files: ["${directory}/far/forbidden/*"] }, then: deny, reason: Not that file. }
  - { name: no-drops, what: { kinds: [command], verbs: [drop] }, then: deny, reason: No drops. }
  - { name: no-shells, where: { targets: [locked] }, what: { kinds: [shell] }, then: deny, reason: No shells here. }
  - { name: tunnels, where: { targets: [open] }, what: { kinds: [tunnel], objects: ["127.0.0.1:*", "localhost:*"] }, then: allow }
`

export interface SshStageOptions {
  /** Lines of sshd_config. */
  readonly sshd?: string
  /** More of sallyport.yaml. */
  readonly rest?: string
  /** More targets, as lines of its list. */
  readonly targets?: (server: SshServer) => Promise<string>
  readonly env?: Readonly<Record<string, string>>
}

export async function openSshStage({
  sshd = '',
  rest = '',
  env = {},
  targets = async () => '',
}: SshStageOptions = {}): Promise<SshStage> {
  const server = await startSshd(sshd)
  const directory = mkdtempSync(join(tmpdir(), 'sallyport-e2e-ssh-'))
  const agentKey = await makeKey(join(directory, 'agent_key'))
  await makeKey(join(directory, 'stranger_key'))
  const target = (name: string, hostKey = server.hostKey): string =>
    `  - { name: ${name}, protocol: ssh, address: "127.0.0.1:${server.port}", hostKey: "${hostKey}", credential: { username: ${server.username}, privateKey: { file: ${server.keyFile} } } }\n`
  const gateway = await startGateway(
    `identities:
  - { name: robot, kind: agent, groups: [agents], sshKeys: ["${agentKey}"] }
  - { name: ann, kind: person, groups: [ops] }
  - { name: outsider, kind: agent, groups: [none] }
targets:
${target('web')}${target('locked')}${target('open')}${target('impostor', wrongHostKey)}${await targets(server)}grants:
  - { groups: [agents, ops], targets: ["*"] }
${rulesFor(server.directory)}${rest}`,
    { env },
  )
  const configFile = join(directory, 'ssh_config')
  writeFileSync(configFile, clientConfig(gateway, directory))
  const stage: SshStage = {
    server,
    gateway,
    directory,
    configFile,
    ssh: (args, { target: name = 'web', ...options } = {}) =>
      run(program('ssh'), ['-F', configFile, `${name}@127.0.0.1`, ...args], options),
    close: async () => {
      await gateway.remove()
      await server.stop()
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
    },
  }
  return stage
}

function clientConfig(gateway: Gateway, directory: string): string {
  return `Host *
  Port ${gateway.sshPort}
  IdentityFile ${directory}/agent_key
  IdentitiesOnly yes
  IdentityAgent none
  StrictHostKeyChecking no
  UserKnownHostsFile ${directory}/known_hosts
  LogLevel ERROR
  ConnectTimeout 20
`
}
