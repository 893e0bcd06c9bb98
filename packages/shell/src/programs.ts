// What is known of programs by their name. A program that stands in none of these lists is known by name only: what it does is not.

const words = (text: string): ReadonlySet<string> => new Set(text.trim().split(/\s+/))

/** Words of the shell itself that start nothing, touch no file and print nothing of one. */
export const shellWords = words(`
  : true false cd pwd pushd popd dirs exit return break continue shift wait local declare typeset readonly export unset set let
  read getopts umask ulimit times type jobs fg bg disown kill test [ logout suspend caller mapfile readarray shopt`)

/** What these words are given can itself be evaluated: \`test -v 'a[$(rm x)]'\`, \`let\`, \`read\`, \`printf -v\`. */
export const evaluatingWords = words('test [ let read unset local declare typeset readonly export printf mapfile readarray wait')

/** Words after which the rest of the text does not mean what it seems to. */
export const meaningChangers = words('alias enable hash bind complete compgen compopt fc history unalias')

/** Print what they are told or what the machine is; their operands are not files. */
export const quietPrograms = words(`
  echo printf whoami id groups uname uptime ps free nproc arch sleep seq expr tty who w last users lscpu lsblk lsmod lsof vmstat iostat
  dig nslookup host ping ping6 traceroute netstat ss pgrep yes factor locale getent basename dirname logname tput`)

/** Show files and do nothing else, whatever their options. */
export const readers = words(`
  cat head tail wc stat file md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum cksum sum ls dir vdir nl tac od hexdump strings
  base64 base32 diff cmp comm cut paste join fold fmt pr expand unexpand rev tr du df readlink realpath grep egrep fgrep zgrep zcat bzcat
  xzcat zstdcat jq column look tree getfacl lsattr namei hd colrm uniq sort xxd md5 shasum`)

/** Readers that write a file when asked to, so their operands and the values of their options may be written. */
export const readersThatMayWrite = words('uniq sort xxd tree')

export const writers = words(`
  rm rmdir unlink shred truncate mkdir touch tee chmod chown chgrp mkfifo mknod setfacl chattr gzip gunzip bzip2 bunzip2 xz unxz zstd
  mktemp csplit`)

/** The verb of a program's file effects; what is not here says \`write\`. */
export const verbOf: ReadonlyMap<string, string> = new Map(
  Object.entries({
    rm: 'delete',
    rmdir: 'delete',
    unlink: 'delete',
    shred: 'delete',
    chmod: 'chmod',
    chown: 'chown',
    chgrp: 'chown',
    mkdir: 'mkdir',
    mv: 'rename',
    ln: 'link',
  }),
)

/** Operands are read, the last one is written. */
export const copiers = words('cp mv ln install')

/** Programs that take whole trees, or may when asked to. */
export const recursive = words(
  'rm cp mv chmod chown chgrp grep egrep fgrep zgrep ls dir vdir du tree diff install chattr setfacl getfacl',
)

/** Change the machine itself. */
export const adminPrograms = words(`
  systemctl service journalctl useradd userdel usermod groupadd groupdel groupmod passwd chpasswd visudo vipw shutdown reboot halt poweroff
  init telinit mount umount swapon swapoff mkfs fdisk parted sfdisk wipefs lvcreate lvremove vgremove pvremove cryptsetup iptables
  ip6tables nft ufw firewall-cmd ip ifconfig route sysctl modprobe insmod rmmod hostnamectl timedatectl localectl loginctl hwclock
  dpkg apt-mark update-alternatives update-rc.d chkconfig setenforce semanage auditctl killall pkill kexec crontab atrm
  apt apt-get aptitude yum dnf zypper apk pacman rpm snap flatpak hostname domainname dmesg quotaon setcap`)

/** Run what a file, their input or an option tells them, so that they can be any program. */
const opaquePrograms = words(`
  sh bash dash ash zsh ksh ksh93 mksh yash fish csh tcsh rbash busybox toybox source .
  awk gawk mawk nawk perl ruby node nodejs deno bun php lua luajit tclsh wish expect R Rscript julia guile scheme java groovy scala
  python pypy ipython osascript pwsh powershell ed ex vi vim nvim view vimdiff nano pico emacs emacsclient joe mcedit less more most pg man
  info top htop gdb lldb strace ltrace perf valgrind screen tmux script scriptreplay make gmake cmake ninja rake gradle mvn ant npm npx
  yarn pnpm pip pip3 cargo go gem bundle composer docker podman nerdctl ctr crictl kubectl oc helm ansible ansible-playbook salt puppet
  chef-client terraform vagrant at batch parallel entr inotifywait incron systemd-run nsenter unshare setpriv setarch firejail bwrap
  flatpak-spawn proot fakeroot fakechroot start-stop-daemon run-parts logrotate cpio tar bsdtar zip unzip 7z rsync scp sftp git hg svn
  ftp lftp telnet nc ncat netcat socat openssl wget gpg ssh-agent ssh-keygen ssh-add socat nmap tcpdump wireshark tshark sqlite3 psql
  mysql mariadb mongo mongosh redis-cli mutt mail mailx sendmail exim dc bc m4 gcc cc g++ clang ld as ctags cscope rlwrap dialog
  whiptail logsave capsh gtester hping3 jjs jrunscript pkexec run0 dbus-send busctl gdbus zypper-shell irb ghc ghci sbcl clisp octave
  gnuplot latex pdflatex xelatex tex aria2c restic borg facter nix nix-shell guix xdg-open watch doas-edit sudoedit visudo rvim rview
  split rename prename sdiff ginsh gimp ksshell nohup-shell pg_dump pg_restore mysqldump crash elvish nu xonsh es rc`)

const versioned = /^(python|pypy|perl|ruby|node|php|lua|tclsh|wish|bash|ksh|gawk|pip|gcc|g\+\+|java)-?\d[\d.]*$/

/** By these options, which GNU's programs take by their first letters, some start another program. */
const starting: ReadonlyMap<string, RegExp> = new Map([
  ['sort', /^--co/],
  ['install', /^--strip-/],
  ['diff3', /^--d/],
])

export function isOpaque(name: string, args: readonly string[]): boolean {
  const option = starting.get(name)
  return opaquePrograms.has(name) || versioned.test(name) || (option !== undefined && args.some((arg) => option.test(arg)))
}

/** Where programs are put by whoever administers the machine; a program named by a path elsewhere is whatever somebody put there. */
const systemDirectories = words(`/bin /sbin /usr/bin /usr/sbin /usr/local/bin /usr/local/sbin`)

export function isSystemPath(path: string): boolean {
  return systemDirectories.has(path.slice(0, Math.max(path.lastIndexOf('/'), 0)))
}

/** Variables that change which programs run, or make programs run others. */
const telling =
  /^(PATH|CDPATH|LD_.*|DYLD_.*|BASH_.*|BASHOPTS|ENV|ZDOTDIR|IFS|PS[0-4]|PROMPT_COMMAND|SHELL|SHELLOPTS|.*PAGER|.*EDITOR|VISUAL|BROWSER|LESS.*|GIT_.*|SSH_.*|SUDO_.*|PERL.*|PYTHON.*|RUBY.*|GEM_.*|NODE_OPTIONS|NODE_PATH|NPM_.*|npm_.*|.*JAVA.*|JDK_.*|GCONV_PATH|HOME|MAKE.*|MFLAGS|RSYNC_.*|TAR_OPTIONS|GREP_OPTIONS|PG.*|MYSQL.*|CC|CXX|TMPDIR|TERMINFO.*|LOCPATH|NLSPATH|GLIBC_.*|MALLOC_.*|OPENSSL_.*|DOCKER_.*|KUBECONFIG|http_proxy|https_proxy|_)$/

export function isTellingVariable(name: string): boolean {
  return telling.test(name)
}

/** Programs that run another one given in their arguments, and how their own arguments end. */
export interface Wrapper {
  /** Short options that take a value. */
  readonly valued: string
  /** Short options that take none. */
  readonly flags: string
  readonly longValued?: readonly string[]
  readonly longFlags?: readonly string[]
  /** Operands before the command. */
  readonly operands?: number
  /** Assignments before the command are set for it. */
  readonly assignments?: true
  /** An option whose value is a file that the wrapper itself reads or writes. */
  readonly file?: { readonly short: string; readonly long: string; readonly access: 'read' | 'write' }
}

export const wrappers: ReadonlyMap<string, Wrapper> = new Map(
  Object.entries<Wrapper>({
    sudo: {
      valued: 'ughpCTrtDRU',
      flags: 'AbBEHknNPS',
      longValued: [
        'user',
        'group',
        'host',
        'prompt',
        'close-from',
        'command-timeout',
        'role',
        'type',
        'chdir',
        'chroot',
        'other-user',
      ],
      longFlags: [
        'askpass',
        'background',
        'bell',
        'preserve-env',
        'set-home',
        'reset-timestamp',
        'non-interactive',
        'preserve-groups',
        'stdin',
      ],
      assignments: true,
    },
    doas: { valued: 'uC', flags: 'n' },
    env: {
      valued: 'uC',
      flags: 'i0v',
      longValued: ['unset', 'chdir'],
      longFlags: ['ignore-environment', 'null', 'debug'],
      assignments: true,
    },
    nohup: { valued: '', flags: '' },
    setsid: { valued: '', flags: 'cfw', longFlags: ['ctty', 'fork', 'wait'] },
    nice: { valued: 'n', flags: '0123456789', longValued: ['adjustment'] },
    ionice: { valued: 'cn', flags: 't', longValued: ['class', 'classdata'], longFlags: ['ignore'] },
    chrt: { valued: 'TPD', flags: 'abdfior', operands: 1 },
    taskset: { valued: 'c', flags: 'a', operands: 1 },
    stdbuf: { valued: 'ioe', flags: '', longValued: ['input', 'output', 'error'] },
    timeout: {
      valued: 'ks',
      flags: 'v',
      longValued: ['kill-after', 'signal'],
      longFlags: ['preserve-status', 'foreground', 'verbose'],
      operands: 1,
    },
    time: {
      valued: 'fo',
      flags: 'pavq',
      longValued: ['format', 'output'],
      longFlags: ['portability', 'append', 'verbose'],
      file: { short: 'o', long: 'output', access: 'write' },
    },
    chroot: { valued: '', flags: '', longValued: ['groups', 'userspec'], longFlags: ['skip-chdir'], operands: 1 },
    command: { valued: '', flags: 'p' },
    builtin: { valued: '', flags: '' },
    exec: { valued: 'a', flags: 'cl' },
    unbuffer: { valued: '', flags: 'p' },
    linux64: { valued: '', flags: '' },
    flock: {
      valued: 'wE',
      flags: 'sexunoFv',
      longValued: ['timeout', 'wait', 'conflict-exit-code'],
      longFlags: ['shared', 'exclusive', 'unlock', 'nonblock', 'nb', 'no-fork', 'close', 'verbose'],
      operands: 1,
    },
    xargs: {
      valued: 'adEILlnPs',
      flags: '0optrx',
      longValued: [
        'arg-file',
        'delimiter',
        'max-lines',
        'max-args',
        'max-procs',
        'max-chars',
        'replace',
        'process-slot-var',
        'eof',
      ],
      longFlags: ['null', 'interactive', 'no-run-if-empty', 'verbose', 'exit', 'open-tty'],
      file: { short: 'a', long: 'arg-file', access: 'read' },
    },
  }),
)
