// Before the first test: the system that the devices start from. What stands in the way is told to the tests that need devices.
import { deviceTree, whyNoDevices } from './devices';

export default async function setUp(): Promise<void> {
  const tell = (line: string) => console.log(`[devices] ${line}`);
  const why = await whyNoDevices();
  if (why) {
    tell(`skipped: ${why}`);
    process.env.PATCHWARD_NO_DEVICES = why;
    return;
  }
  try {
    tell(`ready: ${await deviceTree(tell)}`);
  } catch (error) {
    // The tests without devices still run; those with devices fail with this.
    tell(`FAILED: ${error}`);
    process.env.PATCHWARD_DEVICES_FAILED = String(error);
  }
}
