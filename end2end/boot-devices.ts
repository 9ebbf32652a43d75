// A device that really boots and restarts: the Debian system of the other devices with systemd as its first process, in a container that
// is started anew whenever it asks for a restart. The agent is its service, as on a device of one's own.
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, copyFile, cp, mkdir, mkdtemp, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { agentBinary, deviceTree, overlayRoot, processesLeft, remove, SCRIPTS } from './devices';
import { HERE } from './here';

const run = promisify(execFile);
const INCLUDE = 'systemd-sysv,dbus';
const UNIT = 'patchward-agent.service';
const OUTPUT_LIMIT = 64 * 1024 * 1024;

/** Why no device can boot on this machine; `undefined` when one can. */
export async function whyNoBoot(): Promise<string | undefined> {
  if (process.env.PATCHWARD_NO_DEVICES) {
    return process.env.PATCHWARD_NO_DEVICES;
  }
  if (!['/usr/bin', '/bin'].some((folder) => existsSync(path.join(folder, 'systemd-nspawn')))) {
    return 'a device that boots needs systemd-nspawn (apt-get install systemd-container)';
  }
  const tree = await bootTree();
  const folder = await mkdtemp(path.join((await overlayRoot())!, 'trial-'));
  try {
    const env = { ...process.env, DEVROOT: folder };
    await run(path.join(SCRIPTS, 'bootdev.sh'), ['trial', tree, '/bin/true'], { env });
    return undefined;
  } catch (error) {
    const { stderr } = error as { stderr?: string };
    return `a device that boots needs a container, which this machine refuses: ${stderr?.trim() || error}`;
  } finally {
    await remove(folder);
  }
}

const bootTree = () => deviceTree((line) => console.log(`[devices] ${line}`), INCLUDE);

/** One device: a system of its own until `stop`. */
export class BootDevice {
  /** How often it was switched on or restarted. */
  boots = 0;

  private constructor(
    readonly hostname: string,
    /** Seen inside as /mnt/share. */
    readonly share: string,
    private readonly folder: string,
    private readonly loop: ChildProcess,
  ) {}

  static async start(hostname: string): Promise<BootDevice> {
    const tree = await bootTree();
    const folder = await mkdtemp(path.join((await overlayRoot())!, `${hostname}-`));
    const share = path.join(folder, 'share');
    const files = path.join(folder, 'files');
    await mkdir(share);
    await chmod(share, 0o755);
    // With the last, what is logged outlives a restart.
    for (const below of ['usr/bin', 'etc/systemd/system', 'var/log/journal']) {
      await mkdir(path.join(files, below), { recursive: true });
    }
    await copyFile(agentBinary(), path.join(files, 'usr/bin/patchward-agent'));
    await cp(path.join(HERE, '../agent/systemd', UNIT), path.join(files, 'etc/systemd/system', UNIT));
    // Dies with the tests, however they end.
    const loop = spawn('setpriv', ['--pdeathsig', 'KILL', path.join(SCRIPTS, 'bootdev.sh'), hostname, tree], {
      env: { ...process.env, DEVROOT: folder, SHARE: share, FILES: files },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const device = new BootDevice(hostname, share, folder, loop);
    createInterface({ input: loop.stdout! }).on('line', (line) => {
      device.boots += line === 'boot' ? 1 : 0;
    });
    await device.up();
    return device;
  }

  /** Waits until everything that belongs to a started system runs. */
  async up(): Promise<void> {
    for (;;) {
      if (this.loop.exitCode !== null || this.loop.signalCode !== null) {
        throw new Error(`${this.hostname} does not run:\n${await this.console()}`);
      }
      const state = await this.exec('systemctl', 'is-system-running', '--wait').catch((error: Error) => error.message);
      // A container has no use for some services of a machine: one that failed is no reason to wait.
      if (/running$|degraded/.test(state)) {
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  /** The first process of the system that runs now. */
  private async init(): Promise<string> {
    const children = async (pid: string) => (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ');
    const [script] = await children(String(this.loop.pid));
    const [nspawn] = await children(script!);
    const [init] = await children(nspawn!);
    return init!;
  }

  /** Runs a program on the device and returns what it prints; throws when it fails. */
  async exec(...command: string[]): Promise<string> {
    const clean = ['/usr/bin/env', '-i', 'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root', 'LC_ALL=C.UTF-8', 'DEBIAN_FRONTEND=noninteractive'];
    const into = ['--mount', '--uts', '--ipc', '--pid', '--cgroup', '--root', '--wd'];
    try {
      const args = ['--target', await this.init(), ...into, '--', ...clean, ...command];
      const { stdout } = await run('nsenter', args, { maxBuffer: OUTPUT_LIMIT });
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

  /** Enrols, and lets the service run from now on and after every boot. */
  async join(url: string, token: string): Promise<void> {
    await this.exec('patchward-agent', 'enroll', url, token);
    await this.exec('systemctl', 'enable', '--now', '--quiet', UNIT);
  }

  /** Another one at every boot. */
  bootId(): Promise<string> {
    return this.exec('cat', '/proc/sys/kernel/random/boot_id');
  }

  /** What the agent has written, in every boot. */
  async log(): Promise<string[]> {
    return (await this.exec('journalctl', '--no-pager', '--quiet', '--unit', UNIT)).split('\n');
  }

  private async console(): Promise<string> {
    return readFile(path.join(this.folder, 'console'), 'utf8').catch(() => '');
  }

  /** Switches it off and removes what it wrote. */
  async stop(): Promise<void> {
    const gone = new Promise<void>((resolve) => this.loop.once('exit', () => resolve()));
    if (this.loop.exitCode === null && this.loop.signalCode === null) {
      const init = await this.init().catch(() => undefined);
      // Everything in the container ends with it, a moment later.
      this.loop.kill('SIGKILL');
      await gone;
      while (init && (await processesLeft(init))) {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
    await remove(this.folder);
  }
}
