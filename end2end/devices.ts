// Real devices for the tests: a Debian system made by debootstrap, as it was at its release, with the security archive added, so
// that real patches are missing. Each device is a throw-away copy-on-write layer over it with its own processes and host name, and
// the agent under test in it. The network is shared, so 127.0.0.1 is the server.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { chmod, copyFile, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { HERE } from './here';

const run = promisify(execFile);
const TARGET = path.resolve(HERE, '../target');
const CACHE = path.join(TARGET, 'devices');
export const SCRIPTS = path.join(HERE, 'devices');
/** Beyond the smallest system: a few programs that nothing else needs, so that their patches are small and safe to go back. */
const PROGRAMS = 'unzip,libexpat1,less';
const OUTPUT_LIMIT = 64 * 1024 * 1024;

/** Why there can be no devices on this machine; `undefined` when there can. */
export async function whyNoDevices(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) {
    return 'real devices need root (mount and process name spaces)';
  }
  for (const program of ['debootstrap', 'apt-get', 'unshare', 'nsenter', 'setpriv']) {
    if (!['/usr/sbin', '/usr/bin', '/sbin', '/bin'].some((folder) => existsSync(path.join(folder, program)))) {
      return `real devices need ${program}`;
    }
  }
  return (await overlayRoot()) === undefined ? 'real devices need overlay mounts, which this machine refuses' : undefined;
}

/** The Debian system below every device. Made once: about a minute. */
export async function deviceTree(tell: (line: string) => void = () => {}, include = PROGRAMS): Promise<string> {
  const release = readFileSync('/etc/os-release', 'utf8');
  const suite = process.env.PATCHWARD_DEVICE_SUITE ?? /^VERSION_CODENAME=(\S+)/m.exec(release)?.[1] ?? 'bookworm';
  const recipe = await readFile(path.join(SCRIPTS, 'mkdevice.sh'));
  const key = createHash('sha256').update(recipe).update(`\0${suite}\0${include}`).digest('hex').slice(0, 12);
  const tree = path.join(CACHE, `${suite}-${key}`);
  if (existsSync(tree)) {
    return tree;
  }
  await mkdir(CACHE, { recursive: true });
  const unfinished = await mkdtemp(`${tree}.making-`);
  await chmod(unfinished, 0o755);
  tell(`making a ${suite} system for the devices, once (about a minute)`);
  const child = spawn(path.join(SCRIPTS, 'mkdevice.sh'), [unfinished], {
    env: { ...process.env, SUITE: suite, INCLUDE: include },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const log: string[] = [];
  const take = (line: string) => {
    log.push(line);
    // debootstrap says some 400 lines: its milestones are enough.
    if (/^(I: (Retrieving Packages|Extracting|Installing core|Base system installed)|missing:)/.test(line)) {
      tell(line.replace(/^I: /, '').slice(0, 100));
    }
  };
  createInterface({ input: child.stdout }).on('line', take);
  createInterface({ input: child.stderr }).on('line', take);
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  if (code !== 0) {
    await remove(unfinished);
    throw new Error(`mkdevice.sh ended with ${code}:\n${log.slice(-15).join('\n')}`);
  }
  await rename(unfinished, tree);
  return tree;
}

/** The agent under test. */
export function agentBinary(): string {
  return process.env.PATCHWARD_AGENT_BIN ?? path.join(TARGET, 'debug/patchward-agent');
}

let overlay: Promise<string | undefined> | undefined;

/** A folder whose file system may be the upper layer of an overlay (an overlay itself may not, as in some containers). */
export function overlayRoot(): Promise<string | undefined> {
  overlay ??= (async () => {
    for (const folder of [path.join(CACHE, 'run'), '/dev/shm/patchward-devices']) {
      await mkdir(folder, { recursive: true });
      const trial = await mkdtemp(path.join(folder, 'trial-'));
      const mount = 'mkdir up work root && mount -t overlay overlay -o lowerdir=/usr,upperdir=up,workdir=work root';
      const works = await run('unshare', ['--mount', 'sh', '-c', mount], { cwd: trial }).then(
        () => true,
        () => false,
      );
      await remove(trial);
      if (works) {
        return folder;
      }
    }
    return undefined;
  })();
  return overlay;
}

/** Stays on one file system: whatever is mounted below is left alone. */
export async function remove(folder: string): Promise<void> {
  await run('rm', ['-rf', '--one-file-system', folder]);
}

/** One device: a system of its own until `stop`. */
export class Device {
  /** What the agent has written. */
  readonly log: string[] = [];
  private agentProcess: ChildProcess | undefined;

  private constructor(
    readonly hostname: string,
    /** Seen inside as /mnt/share. */
    readonly share: string,
    private readonly folder: string,
    private readonly init: ChildProcess,
    private readonly initPid: string,
  ) {}

  static async start(hostname: string): Promise<Device> {
    const tree = await deviceTree();
    const root = await overlayRoot();
    const folder = await mkdtemp(path.join(root!, `${hostname}-`));
    const share = path.join(folder, 'share');
    await mkdir(share);
    await chmod(share, 0o755);
    await copyFile(agentBinary(), path.join(share, 'patchward-agent'));
    // The first process: waits for ever and takes in the children of others, as an init does.
    const idle = 'echo ready; while :; do sleep 1000 & wait; done';
    // Dies with the tests, however they end.
    const init = spawn('setpriv', ['--pdeathsig', 'KILL', path.join(SCRIPTS, 'dev.sh'), hostname, tree, 'sh', '-c', idle], {
      env: { ...process.env, DEVROOT: folder, SHARE: share },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const said: string[] = [];
    await new Promise<void>((resolve, reject) => {
      createInterface({ input: init.stderr! }).on('line', (line) => said.push(line));
      createInterface({ input: init.stdout! }).on('line', (line) => line === 'ready' && resolve());
      init.on('error', reject);
      init.on('exit', (code) => reject(new Error(`the device ${hostname} ended with ${code}: ${said.join('\n')}`)));
    });
    const children = await readFile(`/proc/${init.pid}/task/${init.pid}/children`, 'utf8');
    return new Device(hostname, share, folder, init, children.trim().split(' ')[0]!);
  }

  private enter(command: string[]): [string, string[]] {
    const into = ['--target', this.initPid, '--mount', '--uts', '--ipc', '--pid', '--root', '--wd'];
    const clean = ['/usr/bin/env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root', 'LC_ALL=C.UTF-8'];
    return ['nsenter', [...into, '--', ...clean, 'DEBIAN_FRONTEND=noninteractive', ...command]];
  }

  /** Runs a program on the device and returns what it prints; throws when it fails. */
  async exec(...command: string[]): Promise<string> {
    const [program, args] = this.enter(command);
    try {
      const { stdout } = await run(program, args, { maxBuffer: OUTPUT_LIMIT });
      return stdout.trim();
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
      throw new Error(`${this.hostname}: ${command.join(' ')} failed\n${stdout}${stderr}`, { cause: error });
    }
  }

  /** Writes a file on the device. */
  async write(file: string, text: string): Promise<void> {
    const name = `file-${createHash('sha256').update(file).digest('hex').slice(0, 8)}`;
    await writeFile(path.join(this.share, name), text);
    await this.exec('install', '-D', '-m', '644', `/mnt/share/${name}`, file);
  }

  /** The installed version as dpkg knows it; empty when it is not installed. */
  async versionOf(name: string): Promise<string> {
    const line = await this.exec('dpkg-query', '-W', '-f', '${db:Status-Abbrev}\t${Version}', name);
    const [status, version] = line.split('\t');
    return status?.startsWith('ii') ? version! : '';
  }

  async agent(...args: string[]): Promise<string> {
    return this.exec('/mnt/share/patchward-agent', ...args);
  }

  /** Enrols and starts the agent as the service would. */
  async join(url: string, token: string): Promise<void> {
    await this.agent('enroll', url, token);
    this.runAgent();
  }

  runAgent(): void {
    const [program, args] = this.enter(['/mnt/share/patchward-agent', 'run']);
    const agent = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [agent.stdout, agent.stderr]) {
      createInterface({ input: stream }).on('line', (line) => this.log.push(line));
    }
    agent.on('exit', (code, signal) => this.log.push(`(the agent ended: ${code ?? signal})`));
    this.agentProcess = agent;
  }

  get agentRuns(): boolean {
    return this.agentProcess?.exitCode === null && this.agentProcess.signalCode === null;
  }

  /** Ends everything on the device and removes what it wrote. */
  async stop(): Promise<void> {
    const gone = new Promise<void>((resolve) => this.init.once('exit', () => resolve()));
    if (this.init.exitCode === null && this.init.signalCode === null) {
      this.init.kill('SIGKILL');
      await gone;
    }
    // Its mounts end with its last process, a moment later.
    while (await processesLeft(this.initPid)) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    await remove(this.folder);
  }
}

export async function processesLeft(pid: string): Promise<boolean> {
  return readdir(`/proc/${pid}/ns`).then(
    () => true,
    () => false,
  );
}
