// A device that exists only in a test: it speaks the agent protocol (crates/protocol) with an inventory that the test makes up.
// It has no package manager, so pages can be filled in milliseconds. What real devices do is proven by closed-loop.spec.ts.
import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';

export type HostFacts = {
  hostname: string;
  os_id: string;
  os_version: string;
  os_codename: string;
  os_name: string;
  arch: string;
  manager: string | null;
  kernel: string;
  time_zone: string;
  languages: string[];
  boot_id: string;
};

export type Update = {
  name: string;
  installed: string;
  version: string;
  /** Same as `name` unless given. */
  source?: string;
  summary?: string;
  size?: number;
  security?: boolean;
  origins?: Origin[];
};

export type Origin = { label: string; archive: string; codename: string };

export type PackageVersion = { name: string; arch: string; version: string | null };
export type Order = { patch: number; kind: 'install' | 'roll_back'; packages: PackageVersion[] };
export type CheckInReply = {
  server_time: number;
  epoch: number;
  state: string;
  poll_after: number;
  want_full_report: boolean;
  scan_now: boolean;
  policy: unknown;
  orders: Order[];
};
export type PermitReply =
  | { kind: 'granted'; attempt: number; fence: number; start_within: number; packages: PackageVersion[] }
  | { kind: 'refused'; gate: string; reason: string; opens_at: number | null };

type Outcome = { kind: 'succeeded' } | { kind: 'failed'; exit: number | null; message: string };
type Installed = { version: string; source: string };

const SECURITY = { label: 'Debian-Security', archive: 'stable-security', codename: 'bookworm-security' };
const PLAIN = { label: 'Debian', archive: 'stable', codename: 'bookworm' };
const byCodeUnit = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
const now = () => Math.floor(Date.now() / 1000);
const sha256 = (data: string | Buffer) => createHash('sha256').update(data).digest();

/** An HTTP answer other than 200. */
export class Refused extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    detail: string,
  ) {
    super(`${status} ${code}: ${detail}`);
  }
}

export class FakeAgent {
  device = 0;
  host: HostFacts;
  private readonly key: KeyObject;
  private readonly publicKey: Buffer;
  private readonly packages = new Map<string, Installed>();
  private readonly offers = new Map<string, Update>();
  private seq = 0;
  private acknowledged: string | null = null;

  constructor(
    private readonly url: string,
    hostname: string,
    facts: Partial<HostFacts> = {},
  ) {
    const pair = generateKeyPairSync('ed25519');
    this.key = pair.privateKey;
    // The last 32 bytes of the DER form are the key itself.
    this.publicKey = pair.publicKey.export({ format: 'der', type: 'spki' }).subarray(-32);
    this.host = {
      hostname,
      os_id: 'debian',
      os_version: '12',
      os_codename: 'bookworm',
      os_name: 'Debian GNU/Linux 12 (bookworm)',
      arch: 'amd64',
      manager: 'apt',
      kernel: '6.1.0-40-amd64',
      time_zone: 'Europe/Vienna',
      languages: ['en_US.UTF-8'],
      boot_id: '00000000-0000-4000-8000-000000000001',
      ...facts,
    };
  }

  get keyId(): string {
    return sha256(this.publicKey).subarray(0, 16).toString('hex');
  }

  get arch(): string {
    return this.host.arch;
  }

  async enroll(token: string): Promise<void> {
    const reply = await this.post<{ device: number }>('/agent/v1/enroll', {
      token,
      public_key: this.publicKey.toString('hex'),
      nonce: randomBytes(16).toString('hex'),
      scan_only: false,
      host: this.host,
    });
    this.device = reply.device;
  }

  /** Puts an installed package and the update that is offered for it into the inventory. */
  offer(...updates: Update[]): this {
    for (const update of updates) {
      this.packages.set(update.name, { version: update.installed, source: update.source ?? update.name });
      this.offers.set(update.name, update);
    }
    return this;
  }

  /** What a scan after an install or a rollback would find. */
  nowHas(name: string, version: string): void {
    this.packages.set(name, { version, source: this.packages.get(name)?.source ?? name });
  }

  versionOf(name: string): string | undefined {
    return this.packages.get(name)?.version;
  }

  async checkIn(): Promise<CheckInReply> {
    return this.sealed<CheckInReply>('/agent/v1/check-in', {
      agent_version: '0.1.0',
      boot_id: this.host.boot_id,
      inventory: this.acknowledged,
      policy_version: 0,
      unacknowledged: 0,
    });
  }

  /** Sends a full report of the made-up inventory. */
  async report(): Promise<void> {
    const inventory = this.inventory();
    const digest = sha256(JSON.stringify(inventory)).toString('hex');
    const content = { kind: 'full', inventory };
    const reply = await this.sealed<{ digest: string }>('/agent/v1/report', { taken_at: now(), took_ms: 120, digest, content });
    this.acknowledged = reply.digest;
  }

  async permit(order: Order): Promise<PermitReply> {
    const current = order.packages.map((p) => ({ ...p, version: this.versionOf(p.name) ?? null }));
    return this.sealed<PermitReply>('/agent/v1/permit', { patch: order.patch, kind: order.kind, current });
  }

  /** Does everything that is ordered, with the given outcome, and scans again. Returns what was done. */
  async obey(how: Outcome | ((order: Order) => Outcome) = { kind: 'succeeded' }): Promise<Order[]> {
    const done: Order[] = [];
    for (const order of (await this.checkIn()).orders) {
      const outcome = typeof how === 'function' ? how(order) : how;
      const from = order.packages.map((p) => ({ ...p, version: this.versionOf(p.name) ?? null }));
      const permit = await this.permit(order);
      if (permit.kind !== 'granted') {
        continue;
      }
      if (outcome.kind === 'succeeded') {
        for (const { name, version } of permit.packages) {
          this.nowHas(name, version!);
        }
      }
      const observed = order.packages.map((p) => ({ ...p, version: this.versionOf(p.name) ?? null }));
      const record = (event: object) => ({
        id: randomBytes(16).toString('hex'),
        attempt: permit.attempt,
        fence: permit.fence,
        at: now(),
        event,
      });
      const events = [
        record({ kind: 'started', from }),
        record({ kind: 'finished', outcome, observed, log: outcome.kind === 'failed' ? outcome.message : '', took: 3 }),
      ];
      await this.sealed('/agent/v1/results', { results: events });
      done.push(order);
    }
    if (done.length) {
      await this.report();
    }
    return done;
  }

  /** The inventory exactly as the server would write it: the digest is over these bytes. */
  private inventory(): object {
    const names = [...this.packages.keys()].sort(byCodeUnit);
    const open = names.filter((name) => this.offers.has(name) && this.offers.get(name)!.version !== this.versionOf(name));
    return {
      host: this.host,
      packages: names.map((name) => {
        const { version, source } = this.packages.get(name)!;
        return { name, arch: this.arch, version, source };
      }),
      updates: open.map((name) => {
        const u = this.offers.get(name)!;
        return {
          name,
          arch: this.arch,
          installed: this.versionOf(name)!,
          version: u.version,
          source: u.source ?? name,
          source_version: u.version,
          origins: u.origins ?? [u.security === false ? PLAIN : SECURITY],
          size: u.size ?? 123_456,
          sha256: sha256(`${name} ${u.version}`).toString('hex'),
          summary: u.summary ?? `the package ${name}`,
          section: 'utils',
          security: u.security !== false,
          brake: null,
          previous_in_archive: true,
        };
      }),
      sources: [
        { name: 'bookworm', error: null },
        { name: 'bookworm-security', error: null },
      ],
      reboot: [],
      services: [],
      manager_error: null,
      disk_free_mib: 10_240,
    };
  }

  private async sealed<T>(path: string, message: object): Promise<T> {
    this.seq += 1;
    return this.post<T>(path, { seq: this.seq, nonce: randomBytes(16).toString('hex'), sent_at: now(), message });
  }

  private async post<T>(path: string, message: object): Promise<T> {
    const body = Buffer.from(JSON.stringify(message));
    const response = await fetch(this.url + path, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-patchward-key': this.keyId,
        'x-patchward-signature': sign(null, encode(['patchward/request/v1', path, body]), this.key).toString('hex'),
      },
      body,
    });
    const text = await response.text();
    if (response.status !== 200) {
      const { code = '?', detail = text } = text.startsWith('{') ? JSON.parse(text) : {};
      throw new Refused(response.status, code, detail);
    }
    return JSON.parse(text) as T;
  }
}

/** Length-prefixed parts, as `protocol::sign` does. */
function encode(parts: (string | Buffer)[]): Buffer {
  return Buffer.concat(
    parts.flatMap((part) => {
      const bytes = Buffer.from(part as string);
      const length = Buffer.alloc(8);
      length.writeBigUInt64BE(BigInt(bytes.length));
      return [length, bytes];
    }),
  );
}
