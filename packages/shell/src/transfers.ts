// The far ends of file transfers, as their clients write them: scp's old protocol, rsync, git.

export interface Transfer {
  readonly kind: 'scp' | 'rsync' | 'git'
  /** Where the bytes go, seen from the caller. */
  readonly direction: 'upload' | 'download'
}

/** Only the plain spelling counts: one command and nothing else in the line. */
export function transferOf(text: string): Transfer | undefined {
  if (/[;&|<>`\n]|\$\(/.test(text)) return undefined
  const scp = /^scp (?:-[a-zA-Z]+ )*-([tf])\b/.exec(text)
  if (scp !== null) return { kind: 'scp', direction: scp[1] === 't' ? 'upload' : 'download' }
  if (text.startsWith('rsync --server '))
    return { kind: 'rsync', direction: text.startsWith('rsync --server --sender ') ? 'download' : 'upload' }
  const git = /^git[- ](receive-pack|upload-pack|upload-archive) /.exec(text)
  if (git !== null) return { kind: 'git', direction: git[1] === 'receive-pack' ? 'upload' : 'download' }
  return undefined
}
