// Debian packages and a small repository, made in the test.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import type { Device } from './devices';

const run = promisify(execFile);

export type Package = { name: string; version: string; summary: string; postinst?: string };

type Built = { file: string; control: string; size: number; sha256: string };

async function build(into: string, { name, version, summary, postinst }: Package): Promise<Built> {
  const tree = await mkdtemp(path.join(tmpdir(), 'patchward-deb-'));
  try {
    const control = [
      `Package: ${name}`,
      `Version: ${version}`,
      'Architecture: all',
      'Section: utils',
      'Priority: optional',
      'Maintainer: Patchward tests <tests@patchward.invalid>',
      `Description: ${summary}`,
      '',
    ].join('\n');
    await mkdir(path.join(tree, 'DEBIAN'), { recursive: true, mode: 0o755 });
    await writeFile(path.join(tree, 'DEBIAN/control'), control);
    if (postinst) {
      await writeFile(path.join(tree, 'DEBIAN/postinst'), postinst, { mode: 0o755 });
    }
    await mkdir(path.join(tree, 'usr/share', name), { recursive: true });
    await writeFile(path.join(tree, 'usr/share', name, 'version'), `${version}\n`);
    const file = `${name}_${version}_all.deb`;
    await run('dpkg-deb', ['--root-owner-group', '-Zgzip', '--build', tree, path.join(into, file)]);
    const bytes = await readFile(path.join(into, file));
    return { file, control, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') };
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}

/** Makes a flat repository on the device with these packages, as its only security source from now on besides Debian's. */
export async function publish(device: Pick<Device, 'share' | 'write'>, packages: Package[]): Promise<void> {
  const folder = path.join(device.share, 'repository');
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const stanzas: string[] = [];
  for (const one of packages) {
    const { file, control, size, sha256 } = await build(folder, one);
    stanzas.push(`${control}Filename: ./${file}\nSize: ${size}\nSHA256: ${sha256}\n`);
  }
  const index = stanzas.join('\n');
  await writeFile(path.join(folder, 'Packages'), index);
  const sha256 = createHash('sha256').update(index).digest('hex');
  const release = [
    'Origin: Patchward tests',
    'Label: Patchward-Security',
    'Suite: tests-security',
    'Codename: tests-security',
    `Date: ${new Date().toUTCString().replace('GMT', 'UTC')}`,
    'Architectures: all amd64 arm64',
    'SHA256:',
    ` ${sha256} ${Buffer.byteLength(index)} Packages`,
    '',
  ].join('\n');
  await writeFile(path.join(folder, 'Release'), release);
  await device.write('/etc/apt/sources.list.d/tests.list', 'deb [trusted=yes] file:/mnt/share/repository ./\n');
}
